//! What the hub refuses, lacks or says wrongly.

use crate::{
    CONFIG, WANTED, failed, names, place,
    server::{COMMIT, Files, Reply, Server},
    weights,
};

#[test]
fn refusals_of_the_hub_say_what_is_wrong() {
    let cases = [
        (401, "GatedRepo", "is gated"),
        (403, "GatedRepo", "is gated"),
        (401, "RepoNotFound", "HF_TOKEN, which shows the hub who asks, is not set"),
        (401, "", "no such repository, or it is private"),
        (404, "RepoNotFound", "no such repository"),
        (404, "RevisionNotFound", "no revision `main`"),
        (404, "EntryNotFound", "hf:owner/name lacks config.json"),
        (403, "", "403"),
        (503, "", "answers 503"),
    ];
    for (status, code, words) in cases {
        let place = place();
        let server = Server::start(move |_| Reply::new(status, &[("x-error-code", code)]));
        let said = failed(&server.hub(place.path()), &WANTED);
        assert!(said.contains(words), "{status} {code}: {said}");
    }
}

#[test]
fn a_missing_file_is_told_before_anything_is_fetched() {
    let place = place();
    let files = Files::new(&[("config.json", CONFIG), ("tokenizer.json", b"{}"), ("README.md", b"")]);
    let server = Server::start(move |request| files.reply(request));
    let said = failed(&server.hub(place.path()), &WANTED);
    assert!(
        said.contains("lacks any of model.safetensors, model.safetensors.index.json, pytorch_model.bin"),
        "{said}"
    );
    assert!(server.asked().iter().all(|request| request.method == "HEAD"));
    assert!(names(place.path(), "blobs").is_empty());
}

#[test]
fn answers_that_are_no_hubs_are_refused() {
    let large = Files::etag(&weights(), true);
    let cases: [(Vec<(&'static str, String)>, &str); 4] = [
        (vec![("etag", large.clone())], "names no commit"),
        (vec![("x-repo-commit", "../../x".to_owned()), ("etag", large)], "names no commit"),
        (vec![("x-repo-commit", COMMIT.to_owned())], "no ETag"),
        (vec![("x-repo-commit", COMMIT.to_owned()), ("etag", "\"../../x\"".to_owned())], "no ETag"),
    ];
    for (headers, words) in cases {
        let place = place();
        let server =
            Server::start(move |_| Reply { status: 200, headers: headers.clone(), ..Reply::default() });
        let said = failed(&server.hub(place.path()), &WANTED);
        assert!(said.contains(words), "{said}");
        assert!(names(place.path(), "").is_empty());
    }
    let place = place();
    let server = Server::start(|request| Reply::new(302, &[("location", &request.path)]));
    let said = failed(&server.hub(place.path()), &WANTED);
    assert!(said.contains("without end"), "{said}");
}
