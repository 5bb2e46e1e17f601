//! `serve`, as a process of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::{Config, PATIENCE, command, ratelimit};

/// The process, which is ended with the test.
struct Serving {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
}

impl Serving {
    fn start(config: &Config, arguments: &[&str]) -> Self {
        let path = config.path();
        let mut all = vec!["serve", "--bind", "127.0.0.1:0", "--config", path.to_str().unwrap()];
        all.extend(arguments);
        let mut child =
            command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening at ").unwrap_or_else(|| panic!("{line}"));
        let address = address.to_owned();
        let log = Arc::<Mutex<String>>::default();
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()).lines(), log.clone());
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *kept.lock().unwrap() += &(line + "\n");
            }
        });
        Self { address, child, log }
    }

    fn logs(&self, text: &str) {
        let begun = Instant::now();
        while !self.log.lock().unwrap().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "it does not log {text:?}: {:?}", self.log);
            sleep(Duration::from_millis(10));
        }
    }

    /// The head of the answer about a request of nobody in particular.
    fn ask(&self, uri: &str, method: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let text = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{uri}: /\r\n{method}: GET\r\n\
             X-Forwarded-For: 203.0.113.7\r\n\r\n"
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_ascii_lowercase()
    }

    fn ask_as_nginx(&self) -> String {
        self.ask("X-Original-URI", "X-Original-Method")
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Ends it, and returns its exit status and what it has logged.
    fn end(mut self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            sleep(Duration::from_millis(10));
        }
        (self.child.wait().unwrap().code(), self.log.lock().unwrap().clone())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rules(rate: &str) -> String {
    format!(
        "[client_ip]\ntrusted_proxies = [\"127.0.0.1\"]\n[middleware]\ndefault_rate = \"{rate}\"\n\
             [backends.here]\nkind = \"memory\"\n"
    )
}

#[test]
fn it_decides_follows_its_file_and_ends_when_it_is_told_to() {
    let config = Config::new(&rules("1/h"));
    let serving = Serving::start(&config, &[]);
    assert!(serving.ask_as_nginx().starts_with("http/1.1 200"));
    assert!(serving.ask_as_nginx().starts_with("http/1.1 429"));
    fs::write(config.path(), rules("50/h")).unwrap();
    serving.signal(Signal::HUP);
    let begun = Instant::now();
    while !serving.ask_as_nginx().contains("x-ratelimit-limit: 50\r\n") {
        assert!(begun.elapsed() < PATIENCE, "the file is not followed");
        sleep(Duration::from_millis(20));
    }
    fs::write(config.path(), rules("no/h")).unwrap();
    serving.signal(Signal::HUP);
    serving.logs("middleware.default_rate: invalid value \"no/h\"");
    assert!(serving.ask_as_nginx().contains("x-ratelimit-limit: 50\r\n"));
    let (code, log) = serving.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("rate limit configuration reloaded"), "{log}");
    assert!(!log.contains("need a restart"), "what the command line says is no change: {log}");
}

#[test]
fn the_command_line_can_name_the_proxy() {
    let serving = Serving::start(&Config::new(&rules("5/h")), &["--proxy", "traefik"]);
    assert!(serving.ask_as_nginx().starts_with("http/1.1 400"));
    assert!(serving.ask("X-Forwarded-Uri", "X-Forwarded-Method").starts_with("http/1.1 200"));
}

#[test]
fn what_keeps_it_from_starting_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = Config::new(&rules("5/h")).ratelimit(&["serve", "--bind", &address]).ends(1);
    assert!(ran.err.contains(&format!("cannot listen at {address}")), "{ran:?}");
    let ran = Config::new("[serve]\nproxy = \"ngnix\"").ratelimit(&["serve"]).ends(2);
    assert!(ran.err.contains("did you mean \"nginx\"?"), "{ran:?}");
    ratelimit(&["serve", "--bind", "here"]).ends(2);
}
