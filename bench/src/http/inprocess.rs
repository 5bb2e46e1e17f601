//! Requests through the application without a socket, on one thread.
//!
//! Every iteration builds its request in the same way, and that is part of
//! what is timed; the cost of a limiter is what it adds to the bare app.

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::rt::Runtime;
use actix_web::test::{TestRequest, init_service};
use anyhow::{Result, anyhow, ensure};

use super::contender::{Contender, with_app};
use super::{Case, participants, samples_of, selected};
use crate::measure::{self, Samples, interleave};
use crate::ours::Outcome;
use crate::table::{self, Row};
use crate::{Options, pin};

const CASES: [Case; 2] = [
    Case {
        name: "in process, admitted, headers off",
        ours: Contender::Ours,
        others: &[
            Contender::Bare,
            Contender::OursLive,
            Contender::ActixGovernor,
            Contender::ActixExtensible,
        ],
    },
    Case {
        name: "in process, admitted, headers on",
        ours: Contender::OursLegacyIetf,
        others: &[
            Contender::OursLegacy,
            Contender::Bare,
            Contender::BareHeaders,
            Contender::ActixGovernorHeaders,
            Contender::ActixExtensibleHeaders,
        ],
    },
];

/// Requests of one slice.
const REQUESTS: u32 = 50_000;
const QUICK_REQUESTS: u32 = 2_000;

/// Measures the selected cases together.
pub(super) fn run(options: &Options) -> Result<Vec<Row>> {
    let cases = selected(options, &CASES);
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    cases.iter().for_each(|case| eprintln!("{}", case.name));
    pin::this_thread(pin::LOCAL_CORE)?;
    let (rounds, requests) = if options.quick {
        (measure::QUICK_ROUNDS, QUICK_REQUESTS)
    } else {
        (measure::ROUNDS, REQUESTS)
    };
    let runtime = Rc::new(Runtime::new()?);
    let mut contenders = participants(&cases)
        .into_iter()
        .map(|contender| prepared(contender, &runtime, requests))
        .collect::<Result<Vec<_>>>()?;
    let samples = interleave(rounds, &mut contenders)?;
    let mut rows = Vec::new();
    for case in cases {
        rows.extend(rows_of(case, &samples)?);
    }
    Ok(rows)
}

/// The whole request, then what is added to the bare one.
fn rows_of(case: &Case, samples: &[Samples<f64>]) -> Result<Vec<Row>> {
    let ours = samples_of(samples, case.ours)?;
    let bare = samples_of(samples, Contender::Bare)?;
    let (mut whole, mut added) = (Vec::new(), Vec::new());
    for contender in case.contenders() {
        let one = samples_of(samples, contender)?;
        whole.push(one);
        if contender != Contender::Bare {
            added.push(one.minus(bare));
        }
    }
    let mut rows = table::compare(case.name, "ns", ours, whole);
    rows.extend(table::compare(case.name, "ns added", &ours.minus(bare), &added));
    Ok(rows)
}

/// A contender whose application is ready; its slice answers ns per request.
fn prepared(
    contender: Contender,
    runtime: &Rc<Runtime>,
    requests: u32,
) -> Result<measure::Contender<'static, f64>> {
    let slices = Rc::clone(runtime);
    runtime.block_on(async {
        with_app!(contender, Outcome::Admitted, None, |app| {
            let service = init_service(app()).await;
            Ok(measure::Contender::new(contender.name(), move || {
                slices.block_on(slice(&service, requests))
            }))
        })
    })
}

fn slice<'a, S, B>(service: &'a S, requests: u32) -> impl Future<Output = Result<f64>> + 'a
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody + 'a,
{
    let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
    async move {
        let mut admitted = 0;
        let begin = Instant::now();
        for _ in 0..requests {
            let request = TestRequest::get().uri("/").peer_addr(peer).to_request();
            let response = service.call(request).await;
            let response = response.map_err(|error| anyhow!("the request failed: {error}"))?;
            admitted += u32::from(response.status().is_success());
        }
        let elapsed = begin.elapsed();
        ensure!(admitted == requests, "only {admitted} of {requests} requests were admitted");
        Ok(elapsed.as_nanos() as f64 / f64::from(requests))
    }
}
