//! Rules that follow their file while requests are answered.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use actix_http::Request;
use actix_smart_ratelimit::{
    LiveRateLimit, RateLimiter,
    config::{Config, ConfigErrors, Reloaded, Reloader},
};
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{Service, ServiceResponse},
    rt,
    test::init_service,
    web,
};
use tempfile::TempDir;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use crate::support::{get, processes, send};

/// After so long without news a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running application whose rules are in a file.
struct Running {
    path: PathBuf,
    rules: LiveRateLimit,
    limiter: RateLimiter,
    reloader: Reloader,
    news: UnboundedReceiver<Result<Reloaded, ConfigErrors>>,
}

/// Rules by which `/a` has this rate.
fn rate_of_a(rate: &str) -> String {
    format!("[[middleware.rules]]\nname = \"a\"\npath = \"/a\"\nrate = \"{rate}\"\n")
}

impl Running {
    fn start(path: &Path) -> Self {
        let config = Config::load_with(path, []).unwrap();
        let limiter = RateLimiter::from_config(&config).unwrap();
        let rules = limiter.middleware_from(&config).unwrap().live().unwrap();
        let (tell, news) = unbounded_channel();
        let reloader = Reloader::new(&config, &limiter, &rules)
            .on_reload(move |result| drop(tell.send(result.clone())));
        rt::spawn(reloader.clone().run());
        Self { path: path.to_owned(), rules, limiter, reloader, news }
    }

    async fn next(&mut self) -> Result<Reloaded, ConfigErrors> {
        timeout(PATIENCE, self.news.recv()).await.expect("nothing was reloaded").unwrap()
    }
}

async fn app_with(
    rules: LiveRateLimit,
) -> impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = Error> {
    init_service(App::new().wrap(rules).default_service(web::to(|| async { "ok" }))).await
}

fn written(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ratelimit.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

#[actix_web::test]
async fn a_file_that_is_written_again_applies_and_counters_are_kept() {
    let (_folder, path) = written(&rate_of_a("3/h"));
    let mut running = Running::start(&path);
    let app = app_with(running.rules.clone()).await;
    assert_eq!(send(&app, get("/a")).await.remaining(), Some(2));
    fs::write(&path, rate_of_a("10/h")).unwrap();
    let reloaded = running.next().await.unwrap();
    assert!(reloaded.needs_restart.is_empty(), "{reloaded:?}");
    let answer = send(&app, get("/a")).await;
    assert_eq!((answer.limit(), answer.remaining()), (Some(10), Some(8)));
}

#[actix_web::test]
async fn a_file_that_is_renamed_over_applies() {
    let (folder, path) = written(&rate_of_a("3/h"));
    let mut running = Running::start(&path);
    let app = app_with(running.rules.clone()).await;
    for rate in [4, 5] {
        let new = folder.path().join("new");
        fs::write(&new, rate_of_a(&format!("{rate}/h"))).unwrap();
        fs::rename(&new, &path).unwrap();
        running.next().await.unwrap();
        assert_eq!(send(&app, get("/a")).await.limit(), Some(rate));
    }
}

/// `ratelimit.toml` is a link into `..data`, and `..data` a link to a folder, which is swapped.
#[actix_web::test]
async fn links_that_are_swapped_as_kubernetes_does_apply() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let fill = |name: &str, rate: &str| {
        fs::create_dir(place(name)).unwrap();
        fs::write(place(name).join("ratelimit.toml"), rate_of_a(rate)).unwrap();
    };
    fill("..1", "3/h");
    symlink("..1", place("..data")).unwrap();
    symlink("..data/ratelimit.toml", place("ratelimit.toml")).unwrap();
    let mut running = Running::start(&place("ratelimit.toml"));
    let app = app_with(running.rules.clone()).await;
    for (version, rate) in [("..2", 4), ("..3", 5)] {
        fill(version, &format!("{rate}/h"));
        symlink(version, place("..new")).unwrap();
        fs::rename(place("..new"), place("..data")).unwrap();
        running.next().await.unwrap();
        assert_eq!(send(&app, get("/a")).await.limit(), Some(rate));
    }
}

#[actix_web::test]
async fn a_link_to_another_folder_is_followed_to_where_it_leads_now() {
    let (_first, first) = written(&rate_of_a("3/h"));
    let (_second, second) = written(&rate_of_a("5/h"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("link.toml");
    symlink(&first, &path).unwrap();
    let mut running = Running::start(&path);
    let app = app_with(running.rules.clone()).await;
    let change = [
        Box::new(|| fs::write(&first, rate_of_a("4/h")).unwrap()) as Box<dyn Fn()>,
        Box::new(|| {
            symlink(&second, folder.path().join("new")).unwrap();
            fs::rename(folder.path().join("new"), &path).unwrap();
        }),
        Box::new(|| fs::write(&second, rate_of_a("6/h")).unwrap()),
    ];
    for (change, limit) in change.into_iter().zip(4..) {
        change();
        running.next().await.unwrap();
        assert_eq!(send(&app, get("/a")).await.limit(), Some(limit));
    }
}

#[actix_web::test]
async fn a_file_with_mistakes_changes_nothing_and_is_told_of_once() {
    let (_folder, path) = written(&rate_of_a("3/h"));
    let mut running = Running::start(&path);
    let app = app_with(running.rules.clone()).await;
    send(&app, get("/a")).await;
    let wrong = "enabled = \"no\"\n".to_owned() + &rate_of_a("0/x") + "methods = [\"GTE\"]\n";
    fs::write(&path, &wrong).unwrap();
    let errors = running.next().await.unwrap_err();
    assert_eq!(errors.iter().len(), 3, "{errors}");
    assert!(errors.to_string().contains("ratelimit.toml:1:11: enabled: "), "{errors}");
    let answer = send(&app, get("/a")).await;
    assert_eq!((answer.limit(), answer.remaining()), (Some(3), Some(1)));
    // The same text again is no news; the next news are of what follows.
    fs::write(&path, &wrong).unwrap();
    fs::remove_file(&path).unwrap();
    let gone = running.next().await.unwrap_err();
    assert!(gone.to_string().contains("it cannot be read"), "{gone}");
    assert_eq!(send(&app, get("/a")).await.remaining(), Some(0));
    fs::write(&path, rate_of_a("4/h")).unwrap();
    running.next().await.unwrap();
    assert_eq!(send(&app, get("/a")).await.limit(), Some(4));
    assert!(running.news.is_empty());
}

/// In a process of its own: a signal reaches every reloader of a process.
#[test]
fn an_operator_can_ask_by_a_signal() {
    if processes::role().is_some() {
        return rt::System::new().block_on(ask_by_a_signal());
    }
    let asked = processes::spawn_self("reload::an_operator_can_ask_by_a_signal", "asked");
    assert_eq!(asked.lines(), ["reloaded"]);
}

async fn ask_by_a_signal() {
    let (_folder, path) = written(&rate_of_a("3/h"));
    // From here on the signal does not end this process.
    let _hangups = signal(SignalKind::hangup()).unwrap();
    let mut running = Running::start(&path);
    loop {
        let this = rustix::process::getpid();
        rustix::process::kill_process(this, rustix::process::Signal::HUP).unwrap();
        if let Ok(reloaded) = timeout(Duration::from_millis(100), running.news.recv()).await {
            // Nothing has changed, so nothing but the signal can be the cause.
            assert!(reloaded.unwrap().is_ok());
            return processes::say("reloaded");
        }
    }
}

#[actix_web::test]
async fn what_needs_a_restart_is_named_and_the_rest_applies() {
    let (_folder, path) = written(&rate_of_a("3/h"));
    let running = Running::start(&path);
    let app = app_with(running.rules.clone()).await;
    let text = "key_prefix = \"other:\"\nenabled = true\n[client_ip]\nipv6_prefix = 56\n\
                [backends.more]\nkind = \"memory\"\n"
        .to_owned();
    fs::write(&running.path, text + &rate_of_a("4/h")).unwrap();
    let reloaded = running.reloader.reload().unwrap();
    assert_eq!(reloaded.needs_restart, ["backends", "client_ip", "key_prefix"]);
    assert_eq!(send(&app, get("/a")).await.limit(), Some(4));

    let elsewhere = rate_of_a("5/h") + "backend = \"more\"\n[backends.more]\nkind = \"memory\"\n";
    fs::write(&running.path, elsewhere).unwrap();
    let errors = running.reloader.reload().unwrap_err();
    assert!(errors.to_string().contains("there is no backend of this name"), "{errors}");
    assert_eq!(send(&app, get("/a")).await.limit(), Some(4));
}

#[actix_web::test]
async fn limiting_is_switched_off_and_on_and_overrides_change() {
    let (_folder, path) = written(&rate_of_a("3/h"));
    let running = Running::start(&path);
    let app = app_with(running.rules.clone()).await;
    fs::write(&path, "enabled = false\n".to_owned() + &rate_of_a("3/h")).unwrap();
    running.reloader.reload().unwrap();
    assert_eq!(send(&app, get("/a")).await.limit(), None);
    let overridden = "[[overrides]]\npattern = \"a:*\"\nrate = \"7/h\"\n";
    fs::write(&path, rate_of_a("3/h") + overridden).unwrap();
    running.reloader.reload().unwrap();
    assert_eq!(send(&app, get("/a")).await.limit(), Some(7));
    assert_eq!(running.limiter.overrides().len(), 1);
    fs::write(&path, rate_of_a("3/h")).unwrap();
    running.reloader.reload().unwrap();
    assert_eq!(send(&app, get("/a")).await.limit(), Some(3));
}

#[actix_web::test]
async fn a_configuration_without_a_file_stays_as_it_is() {
    #[derive(serde::Deserialize)]
    struct Application {
        ratelimit: Config,
    }
    let text = rate_of_a("3/h");
    let inner = format!("[ratelimit]\n{}", text.replace("[[", "[[ratelimit."));
    let application: Application = toml::from_str(&inner).unwrap();
    for config in [Config::from_toml_str(&text).unwrap(), application.ratelimit] {
        let limiter = RateLimiter::from_config(&config).unwrap();
        let rules = limiter.middleware_from(&config).unwrap().live().unwrap();
        let reloader = Reloader::new(&config, &limiter, &rules);
        reloader.reload().unwrap();
        let task = rt::spawn(reloader.run());
        let app = app_with(rules).await;
        for remaining in [2, 1] {
            tokio::time::sleep(Duration::from_millis(150)).await;
            assert_eq!(send(&app, get("/a")).await.remaining(), Some(remaining));
        }
        task.abort();
    }
}
