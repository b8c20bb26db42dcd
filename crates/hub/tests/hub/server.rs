//! A server on this machine that answers as a hub does, and remembers what it was asked.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crucible_hub::Hub;
use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// No test waits longer for the other side.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

impl Request {
    /// The first byte that is asked for.
    pub(crate) fn offset(&self) -> usize {
        let range =
            self.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        range.map_or(0, |from| from.parse().unwrap())
    }

    /// The file, after `/resolve/<revision>/`.
    pub(crate) fn file(&self) -> &str {
        self.path
            .split_once("/resolve/")
            .and_then(|(_, rest)| rest.split_once('/'))
            .map_or("", |(_, file)| file)
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Bytes of the body after which the connection is closed.
    pub(crate) cut: Option<usize>,
}

impl Reply {
    pub(crate) fn new(status: u16, headers: &[(&'static str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { status, headers, ..Self::default() }
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

pub(crate) struct Server {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<Request>>>,
    is_done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (seen, is_done) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (log, end) = (Arc::clone(&seen), Arc::clone(&is_done));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    break;
                }
                // A client that goes away is none of the server's business.
                let _ = stream.and_then(|stream| serve(stream, &handler, &log));
            }
        });
        Self { address, seen, is_done, thread: Some(thread) }
    }

    /// What was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// The methods and files of that.
    pub(crate) fn asked_for(&self) -> Vec<String> {
        self.asked().iter().map(|request| format!("{} {}", request.method, request.file())).collect()
    }

    pub(crate) fn hub(&self, cache: &Path) -> Hub {
        Hub { endpoint: self.address.clone(), cache: cache.to_owned(), token: None, offline: false }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(stream: TcpStream, handler: &Handler, log: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.try_clone()?.take(1 << 16)).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let request = Request { method, path, headers };
    log.lock().unwrap().push(request.clone());
    send(stream, &request, &handler(&request))
}

fn send(mut stream: TcpStream, request: &Request, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Status\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !reply.headers.iter().any(|(name, _)| matches!(*name, "content-length" | "transfer-encoding")) {
        head += &format!("content-length: {}\r\n", reply.body.len());
    }
    stream.write_all((head + "\r\n").as_bytes())?;
    if request.method != "HEAD" {
        stream.write_all(&reply.body[..reply.cut.unwrap_or(reply.body.len())])?;
    }
    stream.flush()
}

/// A repository's files at one commit; those that end in `.safetensors` or `.bin` are large ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Self {
        Self(files.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect())
    }

    pub(crate) fn etag(content: &[u8], is_large: bool) -> String {
        let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        if is_large { hash } else { hash[..40].to_owned() }
    }

    /// What the hub answers.
    pub(crate) fn reply(&self, request: &Request) -> Reply {
        let name = request.file();
        let Some(content) = self.0.get(name) else {
            return Reply::new(404, &[("x-error-code", "EntryNotFound"), ("x-repo-commit", COMMIT)]);
        };
        let is_large = name.ends_with(".safetensors") || name.ends_with(".bin");
        let etag = format!("\"{}\"", Self::etag(content, is_large));
        let mut reply = part(content, request.offset());
        reply.headers.push(("x-repo-commit", COMMIT.to_owned()));
        if is_large {
            reply.headers.push(("x-linked-size", content.len().to_string()));
            reply.headers.push(("x-linked-etag", etag));
            reply.headers.push(("etag", "\"another\"".to_owned()));
        } else {
            reply.headers.push(("etag", etag));
        }
        reply
    }
}

/// A file from a byte on.
pub(crate) fn part(content: &[u8], offset: usize) -> Reply {
    let mut reply = Reply::new(if offset == 0 { 200 } else { 206 }, &[]);
    if offset > 0 {
        let range = format!("bytes {offset}-{}/{}", content.len() - 1, content.len());
        reply.headers.push(("content-range", range));
    }
    reply.body = content[offset..].to_vec();
    reply
}
