//! A port where something else answers than Redis.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use actix_smart_ratelimit::backend::{
    ErrorKind::{Protocol, Timeout},
    Fate::NotCharged,
};

use super::{
    backend,
    support::trial::{Fault, Trial, fates, kinds},
};

/// Answers whatever it reads with the same bytes. It ends when it is dropped.
struct Stranger {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Stranger {
    fn saying(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::<AtomicBool>::default();
        let told = over.clone();
        let thread = thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if told.load(SeqCst) {
                    return;
                }
                let answer = answer.clone();
                thread::spawn(move || answer_all(client, &answer));
            }
        });
        Self { address, over, thread: Some(thread) }
    }
}

fn answer_all(mut client: TcpStream, answer: &[u8]) {
    let mut buffer = [0; 4_096];
    while let Ok(1..) = client.read(&mut buffer) {
        if client.write_all(answer).is_err() {
            return;
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

#[actix_web::test]
async fn what_it_says_is_not_believed() {
    let nested = b"*1\r\n".repeat(100_000);
    let answers: [&[u8]; 6] = [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\0\0\0\xff\xff\xff\xff",
        b":99999999999999999999999\r\n",
        b"\r\n\r\n\r\n",
        &nested,
    ];
    for answer in answers {
        let faults = suffer(answer).await;
        assert_eq!((kinds(&faults), fates(&faults)), (vec![Protocol], vec![NotCharged]));
    }
}

#[actix_web::test]
async fn what_it_promises_and_does_not_say_is_not_waited_for() {
    let answers: [&[u8]; 7] = [
        b"",
        b"+OK\r\n",
        b"-ERR no such thing\r\n",
        b"$9999999999\r\n",
        b"*2147483647\r\n",
        b"*-7\r\n",
        b"%4294967295\r\n",
    ];
    for answer in answers {
        assert_eq!(kinds(&suffer(answer).await), [Timeout], "{answer:?}");
    }
}

async fn suffer(answer: &[u8]) -> Vec<Fault> {
    let stranger = Stranger::saying(answer.to_vec());
    Trial::of(backend(format!("redis://{}", stranger.address))).suffer_alone(3).await
}
