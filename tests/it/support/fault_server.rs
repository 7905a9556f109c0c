//! A server that is no good HTTP server: bytes, resets and floods that [`faos::playback`] is too well-behaved for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// What is done with a chat request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// These bytes, and the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes, and the connection is reset.
    Reset(Vec<u8>),
    /// The first, and then the second for as long as someone reads. Done once; after that every connection is closed.
    Endless(Vec<u8>, Vec<u8>),
    /// The same bytes to every request, the question for the models too, as a port does that speaks no HTTP.
    Everywhere(Vec<u8>),
}

/// Its URL. The thread ends with the test's process; each connection ends when the client leaves.
pub fn serve_fault(fault: Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        // One after the other, as they come. A client that leaves is what some of these are for.
        let mut once = true;
        for stream in listener.incoming().map_while(Result::ok) {
            drop(answer(stream, &fault, &mut once));
        }
    });
    url
}

/// Where nobody listens.
pub fn refused() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

fn answer(mut stream: TcpStream, fault: &Fault, once: &mut bool) -> std::io::Result<()> {
    let is_chat = request(&mut stream)?.starts_with("POST");
    match fault {
        Fault::Everywhere(bytes) => stream.write_all(bytes)?,
        Fault::Bytes(_) | Fault::Reset(_) | Fault::Endless(..) if !is_chat => {
            let body = r#"{"object":"list","data":[{"id":"scripted","object":"model"}]}"#;
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
        }
        Fault::Bytes(bytes) => stream.write_all(bytes)?,
        Fault::Reset(bytes) => {
            stream.write_all(bytes)?;
            // Closed with what the client wrote unread, or with this, a connection is reset.
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
            return Ok(());
        }
        Fault::Endless(..) if !std::mem::take(once) => {}
        Fault::Endless(first, more) => {
            stream.write_all(first)?;
            loop {
                stream.write_all(more)?;
            }
        }
    }
    stream.shutdown(Shutdown::Write)?;
    // Wait for the client to leave, so that unread bytes do not reset the connection.
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The head of one request, with its body read.
fn request(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        if reader.read_line(&mut head)? == 0 || head[start..].trim().is_empty() {
            break;
        }
        let line = head[start..].to_ascii_lowercase();
        length = line.strip_prefix("content-length:").map_or(length, |length| length.trim().parse().unwrap());
    }
    reader.read_exact(&mut vec![0; length])?;
    Ok(head)
}
