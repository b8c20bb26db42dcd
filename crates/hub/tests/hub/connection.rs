//! Connections that break, lead elsewhere or bring something else.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crucible_hub::{Hub, HubError, Wanted};

use crate::{
    CONFIG, WANTED, blob, failed, fetch, names, place,
    server::{Files, Reply, Request, Server, part},
    small, weights,
};

#[test]
fn a_connection_that_drops_is_made_again_where_it_broke() {
    let (place, files) = (place(), small());
    let server = Server::start(move |request| {
        let mut reply = files.reply(request);
        if request.method == "GET" && request.offset() < 200_000 {
            reply.cut = Some(reply.body.len().min(100_000));
        }
        reply
    });
    let folder = fetch(&server.hub(place.path()), &[Wanted::WEIGHTS]).unwrap();
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
    let asked = server.asked();
    let offsets: Vec<usize> =
        asked.iter().filter(|request| request.method == "GET").map(Request::offset).collect();
    assert_eq!(offsets, [0, 100_000, 200_000]);
}

#[test]
fn what_came_before_a_connection_broke_for_good_is_gone_on_with() {
    let (place, files, calls) = (place(), small(), AtomicUsize::new(0));
    let is_well = Arc::new(AtomicUsize::new(0));
    let switch = Arc::clone(&is_well);
    let server = Server::start(move |request| {
        let mut reply = files.reply(request);
        if request.method == "GET" && switch.load(Ordering::SeqCst) == 0 {
            // Bytes once, and then none.
            let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
            reply.cut = Some(if first { 70_000 } else { 0 });
        }
        reply
    });
    let hub = server.hub(place.path());
    let said = failed(&hub, &[Wanted::WEIGHTS]);
    assert!(said.contains("70000 of 300000 bytes") && said.contains("goes on from there"), "{said}");
    assert_eq!(blob(place.path(), &weights()).with_extension("incomplete").metadata().unwrap().len(), 70_000);
    assert!(names(place.path(), "snapshots").is_empty() && names(place.path(), "refs").is_empty());
    // Half of it is not taken for whole.
    let said = failed(&Hub { offline: true, ..hub.clone() }, &[Wanted::WEIGHTS]);
    assert!(said.contains("lacks any of model.safetensors"), "{said}");

    server.asked();
    is_well.store(1, Ordering::SeqCst);
    let folder = fetch(&hub, &[Wanted::WEIGHTS]).unwrap();
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
    assert_eq!(server.asked().last().unwrap().offset(), 70_000);
    assert_eq!(names(place.path(), "blobs"), [Files::etag(&weights(), true)]);
}

#[test]
fn a_server_without_ranges_sends_it_all_again() {
    let (place, files, calls) = (place(), small(), AtomicUsize::new(0));
    let server = Server::start(move |request| {
        let mut reply = files.reply(&Request { headers: [].into(), ..request.clone() });
        if request.method == "GET" && calls.fetch_add(1, Ordering::SeqCst) == 0 {
            reply.cut = Some(50_000);
        }
        reply
    });
    let folder = fetch(&server.hub(place.path()), &[Wanted::WEIGHTS]).unwrap();
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
}

#[test]
fn content_of_another_hash_or_size_is_thrown_away() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(Change, &str); 2] = [(|body| body[1000] ^= 1, "SHA-256"), (|body| body.push(0), "300000")];
    for (change, word) in changes {
        let (place, files) = (place(), small());
        let server = Server::start(move |request| {
            let mut reply = files.reply(request);
            if request.method == "GET" && request.file() == "model.safetensors" {
                change(&mut reply.body);
            }
            reply
        });
        let hub = server.hub(place.path());
        let error = fetch(&hub, &WANTED).unwrap_err();
        assert!(matches!(error, HubError::Damaged { .. }) && error.to_string().contains(word), "{error}");
        // The small files are there, and of the large one nothing.
        assert_eq!(names(place.path(), "blobs").len(), 2);
        let said = failed(&Hub { offline: true, ..hub }, &WANTED);
        assert!(said.contains("lacks"), "{said}");
    }
}

#[test]
fn a_part_that_does_not_belong_is_found_out_and_the_next_call_begins_anew() {
    let (place, files) = (place(), small());
    let server = Server::start(move |request| files.reply(request));
    let (hub, path) = (server.hub(place.path()), blob(place.path(), &weights()));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path.with_extension("incomplete"), [7; 1000]).unwrap();
    assert!(matches!(fetch(&hub, &[Wanted::WEIGHTS]), Err(HubError::Damaged { .. })));
    let folder = fetch(&hub, &[Wanted::WEIGHTS]).unwrap();
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
}

#[test]
fn another_host_is_not_sent_the_token() {
    let (place, files) = (place(), small());
    let content = Arc::new(weights());
    let cdn = Server::start(move |request| part(&content, request.offset()));
    let elsewhere = format!("{}/content?signature=x", cdn.address);
    let server = Server::start(move |request| match request.file() {
        "model.safetensors" => {
            let mut reply = files.reply(request);
            (reply.status, reply.body) = (302, Vec::new());
            reply.headers.push(("location", elsewhere.clone()));
            reply
        }
        _ if request.path.starts_with("/owner/") => {
            Reply::new(307, &[("location", &format!("/api/resolve-cache{}", request.path))])
        }
        _ => files.reply(request),
    });
    let hub = Hub { token: Some("hf_secret".to_owned()), ..server.hub(place.path()) };
    let folder = fetch(&hub, &WANTED).unwrap();
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
    assert_eq!(fs::read(folder.join("config.json")).unwrap(), CONFIG);
    let (at_hub, at_cdn) = (server.asked(), cdn.asked());
    assert!(at_hub.iter().all(|request| request.headers["authorization"] == "Bearer hf_secret"));
    assert!(at_hub.iter().any(|request| request.path.starts_with("/api/")));
    assert_eq!(at_cdn.len(), 1);
    assert!(!at_cdn[0].headers.contains_key("authorization"), "{at_cdn:?}");
}
