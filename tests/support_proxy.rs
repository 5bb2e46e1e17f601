//! The proxy of the tests and their further processes do what they say.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use redis::Commands;
use support::{
    processes,
    proxy::{ChaosProxy, Mode},
    redis::{PATIENCE, RedisServer, wait_until},
};

/// So long is waited for an answer that must not come.
const MOMENT: Duration = Duration::from_millis(200);
const INCR: &[u8] = b"INCR n\r\n";

fn proxied() -> (RedisServer, ChaosProxy) {
    let server = RedisServer::start();
    let proxy = ChaosProxy::to(server.address());
    (server, proxy)
}

struct Client(TcpStream);

impl Client {
    fn connect(proxy: &ChaosProxy) -> Self {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    fn send(&mut self) {
        self.0.write_all(INCR).unwrap();
    }

    fn read(&mut self, count: usize) -> String {
        let mut bytes = vec![0; count];
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        self.0.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn increment(&mut self) -> String {
        self.send();
        self.read(4)
    }

    fn hears_nothing(&mut self) -> bool {
        self.0.set_read_timeout(Some(MOMENT)).unwrap();
        let error = self.0.read(&mut [0]).map_err(|error| error.kind());
        matches!(error, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    fn is_closed(&mut self) -> bool {
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        match self.0.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn bytes_pass_and_are_counted() {
    let (_server, proxy) = proxied();
    let mut clients = [Client::connect(&proxy), Client::connect(&proxy)];
    assert_eq!(clients[0].increment(), ":1\r\n");
    assert_eq!(clients[1].increment(), ":2\r\n");
    assert_eq!((proxy.accepted(), proxy.open()), (2, 2));
    assert_eq!((proxy.request_bytes(), proxy.reply_bytes()), (16, 8));
    drop(clients);
    wait_until("connections that are closed", || proxy.open() == 0);
    assert_eq!(proxy.accepted(), 2);
}

#[test]
fn latency_delays_but_holds_nothing_up() {
    let (_server, proxy) = proxied();
    let mut client = Client::connect(&proxy);
    client.increment();
    proxy.set(Mode::Latency(MOMENT));
    let start = Instant::now();
    for number in 2..10 {
        client.send();
        wait_until("a request on its way", || proxy.request_bytes() == number * 8);
    }
    for number in 2..10 {
        assert_eq!(client.read(4), format!(":{number}\r\n"));
        assert!(start.elapsed() >= MOMENT);
    }
    assert!(start.elapsed() < MOMENT * 8, "one after the other");
}

#[test]
fn a_blackhole_holds_bytes_until_it_ends() {
    let (server, proxy) = proxied();
    let mut old = Client::connect(&proxy);
    old.increment();
    proxy.set(Mode::Blackhole);
    let mut new = Client::connect(&proxy);
    for client in [&mut old, &mut new] {
        client.send();
        assert!(client.hears_nothing());
    }
    assert_eq!(server.cli(&["GET", "n"]), "1");
    proxy.set(Mode::Pass);
    let answers = [old.read(4), new.read(4)];
    assert!(answers.contains(&":2\r\n".to_owned()) && answers.contains(&":3\r\n".to_owned()));
}

#[test]
fn swallowed_replies_answer_requests_that_were_delivered() {
    let (server, proxy) = proxied();
    let mut clients = [Client::connect(&proxy), Client::connect(&proxy)];
    clients[1].increment();
    proxy.set(Mode::SwallowReplies);
    clients[0].send();
    wait_until("a request that arrives", || server.cli(&["GET", "n"]) == "2");
    assert!(clients[0].hears_nothing());
    assert_eq!(proxy.reply_bytes(), 8);
    proxy.set(Mode::Pass);
    assert!(clients[0].is_closed());
    assert_eq!(clients[1].increment(), ":3\r\n");
}

#[test]
fn swallowed_requests_do_not_reach_the_server() {
    let (server, proxy) = proxied();
    let mut client = Client::connect(&proxy);
    client.increment();
    proxy.set(Mode::SwallowRequests);
    client.send();
    assert!(client.hears_nothing());
    assert_eq!(proxy.request_bytes(), 16);
    proxy.set(Mode::Pass);
    assert!(client.is_closed());
    assert_eq!(server.cli(&["GET", "n"]), "1");
}

#[test]
fn a_reply_can_be_cut_off() {
    let (server, proxy) = proxied();
    let mut client = Client::connect(&proxy);
    for mode in [Mode::CutAfter(6), Mode::Pass, Mode::CutAfter(6)] {
        proxy.set(mode);
        assert_eq!(client.increment().len(), 4);
    }
    client.send();
    assert_eq!(client.read(2), ":4");
    assert!(client.is_closed());
    proxy.set(Mode::CutAfter(0));
    let mut client = Client::connect(&proxy);
    client.send();
    assert!(client.is_closed());
    assert_eq!(server.cli(&["GET", "n"]), "5");
}

#[test]
fn all_connections_can_be_cut_at_once() {
    let (_server, proxy) = proxied();
    let mut clients = [Client::connect(&proxy), Client::connect(&proxy)];
    assert_eq!(clients.each_mut().map(Client::increment), [":1\r\n", ":2\r\n"]);
    proxy.cut();
    assert_eq!(proxy.open(), 0);
    assert!(clients.iter_mut().all(Client::is_closed));
    assert_eq!(Client::connect(&proxy).increment(), ":3\r\n");
}

#[test]
fn new_connections_can_be_closed_or_refused() {
    let (server, proxy) = proxied();
    let mut old = Client::connect(&proxy);
    assert_eq!(old.increment(), ":1\r\n");
    proxy.set(Mode::Hangup);
    assert!(Client::connect(&proxy).is_closed());
    proxy.set(Mode::Refuse);
    let error = TcpStream::connect(proxy.address()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(old.increment(), ":2\r\n");
    proxy.set(Mode::Pass);
    assert_eq!(Client::connect(&proxy).increment(), ":3\r\n");
    server.kill();
    assert!(old.is_closed());
    assert!(Client::connect(&proxy).is_closed());
}

#[test]
fn bytes_can_arrive_one_at_a_time() {
    let (_server, proxy) = proxied();
    let mut client = Client::connect(&proxy);
    proxy.set(Mode::Slice(1, Duration::from_millis(5)));
    client.send();
    let mut buffer = [0; 4];
    let (mut length, mut reads) = (0, 0);
    while length < 4 {
        length += client.0.read(&mut buffer[length..]).unwrap();
        reads += 1;
    }
    assert!(reads > 1);
    proxy.set(Mode::Slice(1, Duration::from_secs(3_600)));
    client.send();
    assert!(client.hears_nothing());
    proxy.set(Mode::Pass);
    assert_eq!(client.read(4), ":2\r\n");
}

#[test]
fn processes_of_this_program_play_their_roles() {
    if let Some(url) = processes::role() {
        let mut server = redis::Client::open(url).unwrap().get_connection().unwrap();
        for _ in 0..100 {
            processes::say(server.incr::<_, _, u64>("n", 1).unwrap());
        }
        return;
    }
    let server = RedisServer::start();
    let test = "processes_of_this_program_play_their_roles";
    let workers: Vec<_> = (0..4).map(|_| processes::spawn_self(test, &server.url())).collect();
    let mut counted: Vec<_> = workers.into_iter().flat_map(processes::Process::numbers).collect();
    counted.sort_unstable();
    assert_eq!(counted, (1..=400).collect::<Vec<_>>());
}

#[test]
fn a_process_can_be_killed_while_it_plays() {
    if processes::role().is_some() {
        for number in 0.. {
            processes::say(number);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let worker = processes::spawn_self("a_process_can_be_killed_while_it_plays", "endless");
    assert_eq!(worker.line().as_deref(), Some("0"));
    assert_eq!(worker.line().as_deref(), Some("1"));
    assert!(worker.kill().first().is_none_or(|line| line == "2"));
}

#[test]
#[should_panic(expected = "said nothing")]
fn a_role_in_a_test_that_does_not_exist_is_noticed() {
    processes::spawn_self("no_such_test", "any").lines();
}

#[test]
#[should_panic(expected = "ended with")]
fn a_process_whose_test_fails_is_noticed() {
    if processes::role().is_some() {
        return;
    }
    processes::spawn_self("a_process_whose_test_fails_is_noticed", "any").lines();
}
