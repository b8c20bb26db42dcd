//! What is fetched once is found again, by the hub or without it.

use std::{fs, path::Path};

use crucible_hub::{Hub, Progress, Repository, Wanted};

use crate::{
    CONFIG, WANTED, failed, fetch, names, place, repository,
    server::{COMMIT, Files, Reply, Server},
    small, weights,
};

#[test]
fn a_repository_is_fetched_and_then_found() {
    let (place, files) = (place(), small());
    let server = Server::start(move |request| files.reply(request));
    let hub = server.hub(place.path());
    let mut last = None;
    let folder = hub.fetch(&repository(), &WANTED, &mut |progress| {
        if let Progress::Bytes { file: "model.safetensors", done, total } = progress {
            last = Some((done, total));
        }
    });
    let folder = folder.unwrap();
    assert_eq!(folder, place.path().join("models--owner--name/snapshots").join(COMMIT));
    assert_eq!(fs::read(folder.join("config.json")).unwrap(), CONFIG);
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
    assert!(!folder.join("1_Pooling").exists() && !folder.join("pytorch_model.bin").exists());
    assert_eq!(last, Some((300_000, Some(300_000))));
    assert_eq!(fs::read_to_string(place.path().join("models--owner--name/refs/main")).unwrap(), COMMIT);
    assert_eq!(names(place.path(), "blobs").len(), 3);
    #[cfg(unix)]
    {
        let link = fs::read_link(folder.join("model.safetensors")).unwrap();
        assert_eq!(link, Path::new("../../blobs").join(Files::etag(&weights(), true)));
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 7, "{asked:?}");
    assert!(asked[0].path.ends_with("/owner/name/resolve/main/config.json"));
    assert!(asked[1..].iter().all(|request| request.path.contains(COMMIT)));

    // What `main` is, is asked again; nothing else is.
    assert_eq!(fetch(&hub, &WANTED).unwrap(), folder);
    assert_eq!(server.asked_for(), ["HEAD config.json"]);
    // And nothing of a commit.
    let commit = Repository::parse(&format!("hf:owner/name@{COMMIT}")).unwrap();
    assert_eq!(hub.fetch(&commit, &WANTED, &mut |_| ()).unwrap(), folder);
    assert_eq!(server.asked_for(), [""; 0]);

    // Nor where there is no server.
    drop(server);
    let mut told = Vec::new();
    let found = hub.fetch(&repository(), &WANTED, &mut |progress| told.push(format!("{progress:?}")));
    assert_eq!(found.unwrap(), folder);
    assert!(told.len() == 1 && told[0].contains("no network") && told[0].contains("unknown: []"), "{told:?}");
}

#[test]
fn without_a_network_an_error_says_so_and_what_is_missing() {
    let place = place();
    let endpoint = { Server::start(|_| Reply::default()).address.clone() };
    let hub = Hub { endpoint, cache: place.path().to_owned(), token: None, offline: false };
    let said = failed(&hub, &WANTED);
    for word in
        ["hf:owner/name", "there is no network", "config.json", "tokenizer.json", "any of model.safetensors"]
    {
        assert!(said.contains(word), "{said}");
    }
    assert!(!said.contains("1_Pooling"), "{said}");
    assert!(names(place.path(), "").is_empty());
}

#[test]
fn offline_nothing_is_asked() {
    let (place, files) = (place(), small());
    let server = Server::start(move |request| files.reply(request));
    let online = server.hub(place.path());
    fetch(&online, &WANTED[..1]).unwrap();
    server.asked();
    let hub = Hub { offline: true, ..online };
    let mut told = Vec::new();
    hub.fetch(&repository(), &[WANTED[0], WANTED[2]], &mut |progress| told.push(format!("{progress:?}")))
        .unwrap();
    // It was never asked for, so nobody knows.
    assert!(told[0].contains("HF_HUB_OFFLINE") && told[0].contains("1_Pooling/config.json"), "{told:?}");
    let said = failed(&hub, &WANTED);
    assert!(said.contains("HF_HUB_OFFLINE") && said.contains("lacks tokenizer.json; any of model"), "{said}");
    assert_eq!(server.asked_for(), [""; 0]);
}

#[test]
fn an_index_brings_its_shards() {
    let place = place();
    let index = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    let files = Files::new(&[
        ("model.safetensors.index.json", index),
        ("model-1.safetensors", b"one"),
        ("model-2.safetensors", b"two"),
    ]);
    let server = Server::start(move |request| files.reply(request));
    let hub = server.hub(place.path());
    let folder = fetch(&hub, &[Wanted::WEIGHTS]).unwrap();
    assert_eq!(fs::read(folder.join("model-2.safetensors")).unwrap(), b"two");
    let offline = Hub { offline: true, ..hub };
    assert_eq!(fetch(&offline, &[Wanted::WEIGHTS]).unwrap(), folder);
    fs::remove_file(folder.join("model-2.safetensors")).unwrap();
    let said = failed(&offline, &[Wanted::WEIGHTS]);
    assert!(said.contains("lacks model-2.safetensors"), "{said}");
}

#[test]
fn two_that_fetch_the_same_at_a_time_both_have_it() {
    let (place, files) = (place(), small());
    let server = Server::start(move |request| files.reply(request));
    let hub = server.hub(place.path());
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| fetch(&hub, &WANTED).unwrap()));
        for folder in both.map(|thread| thread.join().unwrap()) {
            assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
        }
    });
    let gets = server.asked().iter().filter(|request| request.method == "GET").count();
    assert_eq!(gets, 3);
}
