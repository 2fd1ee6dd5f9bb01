//! Serves a network over TCP: a connection is a session, and a line of numbers is a step.
//!
//! ```text
//! cargo run --release --example serve 127.0.0.1:7878     # then, for instance: nc 127.0.0.1 7878
//! ```
//!
//! Without an address it serves a client of its own, and compares the answers with one pass over all steps.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use ndarray::{Array1, Axis, array};
use ndarray_rnn::{Gru, GruConfig, Session, manual_seed};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    // A trained network: `Gru::from_state_dict(&safetensors::read("model.safetensors")?.under("rnn."))?`.
    let gru = Arc::new(Gru::new(GruConfig::new(2, 3), &mut manual_seed(0))?);
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0"))?;
    let (here, network) = (listener.local_addr()?, Arc::clone(&gru));
    let server = thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = Session::new(Arc::clone(&network), 1);
            thread::spawn(move || answer(stream, session.ok()?).ok());
        }
    });
    println!("{gru} on {here}");
    if address.is_some() {
        server.join().map_err(|_| "the server ended".into())
    } else {
        ask(TcpStream::connect(here)?, &gru)
    }
}

/// Answers each line by the hidden state after it, or by what is wrong with it.
fn answer(mut stream: TcpStream, mut session: Session<Arc<Gru>>) -> Result<()> {
    for line in BufReader::new(stream.try_clone()?).lines() {
        match step(&mut session, &line?) {
            Ok(h) => writeln!(stream, "{h}")?,
            Err(error) => writeln!(stream, "error: {error}")?,
        }
    }
    Ok(())
}

fn step(session: &mut Session<Arc<Gru>>, line: &str) -> Result<Array1<f32>> {
    let input: Array1<f32> =
        line.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
    Ok(session.step(&input.insert_axis(Axis(0)))?.row(0).to_owned())
}

/// Three steps and a mistake.
fn ask(mut stream: TcpStream, gru: &Gru) -> Result<()> {
    let mut answers = BufReader::new(stream.try_clone()?).lines();
    let mut ask = |line: &str| -> Result<String> {
        writeln!(stream, "{line}")?;
        let answer = answers.next().ok_or("no answer")??;
        println!("{line:<10} {answer}");
        Ok(answer)
    };
    let (whole, _) = gru.forward(&array![[0.5, -1.0], [1.0, 0.0], [0.0, 2.0]], None)?;
    assert_eq!(ask("0.5 -1")?, whole.row(0).to_string());
    assert_eq!(ask("1 0")?, whole.row(1).to_string());
    assert!(ask("1 2 3")?.starts_with("error: ")); // the state stays
    assert_eq!(ask("0 2")?, whole.row(2).to_string());
    Ok(())
}
