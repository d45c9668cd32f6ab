//! What the stack promises: no secret in a file, least privilege, bounded, health asked for.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const DATABASE_AND_PROGRAM: [&str; 4] = ["db", "migrate", "api", "worker"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The stack, merge keys followed.
fn compose() -> Value {
    serde_saphyr::from_str(&read("docker-compose.yml")).unwrap()
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Every `${NAME:-default}` of a text.
fn variables(text: &str) -> BTreeMap<String, String> {
    text.split("${")
        .skip(1)
        .map(|rest| {
            let inner = rest.split('}').next().unwrap();
            let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
            (name.to_owned(), default.to_owned())
        })
        .collect()
}

#[test]
fn i9_no_password_or_key_stands_in_the_stack() {
    let compose = compose();
    for (name, service) in compose["services"].as_object().unwrap() {
        let environment = service["environment"].as_object();
        for (variable, value) in environment.into_iter().flatten() {
            let secret = ["PASSWORD", "KEY", "TOKEN", "SECRET", "DATABASE_URL"];
            if secret.iter().any(|word| variable.contains(word)) {
                assert!(variable.ends_with("_FILE"), "{name}: {variable} is read from a file");
                let file = value.as_str().unwrap().strip_prefix("/run/secrets/").unwrap();
                assert!(words(&service["secrets"]).contains(&file), "{name} is given {file}");
            }
        }
    }
    for (name, secret) in compose["secrets"].as_object().unwrap() {
        assert_eq!(secret["file"], format!(".secrets/{name}"));
    }
    let ignored = read(".gitignore");
    let left_out = read(".dockerignore");
    for name in [".env", ".secrets"] {
        assert!(ignored.lines().any(|line| line == format!("/{name}")), "git ignores {name}");
        assert!(left_out.lines().any(|line| line == name), "no image holds {name}");
    }
}

#[test]
fn each_service_holds_the_secrets_of_its_own_role_only() {
    let compose = compose();
    let secrets = |service: &str| -> BTreeSet<String> {
        let held = words(&compose["services"][service]["secrets"]);
        held.into_iter().map(str::to_owned).collect()
    };
    let of_api = ["api_password", "server_secret"].map(str::to_owned);
    assert_eq!(secrets("api"), BTreeSet::from(of_api));
    let server_secret = &compose["services"]["api"]["environment"]["KASPARRO_SECRET_FILE"];
    assert_eq!(
        server_secret, "/run/secrets/server_secret",
        "replicas know the same keys and cursors"
    );
    assert_eq!(secrets("migrate"), BTreeSet::from(["owner_password".to_owned()]));
    assert!(secrets("worker").contains("worker_password"));
    for name in ["postgres_password", "owner_password", "api_password", "server_secret"] {
        assert!(!secrets("worker").contains(name), "the worker holds {name}");
    }
    assert!(secrets("test").is_empty());
    let users = ["migrate", "api", "worker"]
        .map(|service| compose["services"][service]["environment"]["POSTGRES_USER"].clone());
    assert_eq!(users, ["kasparro_owner", "api", "worker"]);
}

#[test]
fn every_service_is_bounded_and_has_no_rights_to_lose() {
    let compose = compose();
    for (name, service) in compose["services"].as_object().unwrap() {
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(words(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        assert!(service["pids_limit"].as_u64().is_some_and(|limit| limit > 0), "{name}");
        for right in ["privileged", "cap_add", "network_mode", "pid", "devices"] {
            assert!(service[right].is_null(), "{name} has {right}");
        }
    }
    for name in DATABASE_AND_PROGRAM {
        let service = &compose["services"][name];
        assert_eq!(service["read_only"], true, "{name}");
        assert!(words(&service["tmpfs"]).contains(&"/tmp"), "{name}");
        assert!(service["mem_limit"].is_string(), "{name}");
    }
    assert_eq!(compose["networks"]["data"]["internal"], true);
    assert_eq!(words(&compose["services"]["db"]["networks"]), ["data"]);
    assert!(compose["services"]["db"]["ports"].is_null(), "nobody outside reaches the database");
    for port in words(&compose["services"]["api"]["ports"]) {
        let names = variables(port);
        let plain = names.iter().fold(port.to_owned(), |text, (name, default)| {
            text.replace(&format!("${{{name}:-{default}}}"), default)
        });
        assert_eq!(plain, "127.0.0.1:8000:8000");
    }
}

#[test]
fn health_is_asked_of_what_stays_and_what_ends_is_waited_for() {
    let compose = compose();
    for name in ["db", "api", "worker"] {
        let service = &compose["services"][name];
        let test = words(&service["healthcheck"]["test"]);
        assert_eq!(test.first(), Some(&"CMD"), "{name}: the image has no shell");
        assert!(test.len() > 1, "{name}");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        assert!(service["stop_grace_period"].is_string(), "{name}");
    }
    assert_eq!(compose["services"]["migrate"]["restart"], "no");
    assert_eq!(words(&compose["services"]["migrate"]["command"]), ["db", "migrate"]);
    for name in ["api", "worker"] {
        let needs = &compose["services"][name]["depends_on"];
        assert_eq!(needs["migrate"]["condition"], "service_completed_successfully", "{name}");
        assert_eq!(words(&compose["services"][name]["command"]), [name]);
        let volumes = words(&compose["services"][name]["volumes"]);
        assert_eq!(volumes, [format!("{name}-data:/data")], "/data is writable and kept");
    }
    let volumes = compose["volumes"].as_object().unwrap();
    for (name, service) in compose["services"].as_object().unwrap() {
        for volume in words(&service["volumes"]) {
            let from = volume.split(':').next().unwrap();
            let known = volumes.contains_key(from) || root().join(from).is_file();
            assert!(known, "{name}: {from}");
        }
    }
    assert_eq!(words(&compose["services"]["test"]["profiles"]), ["test"]);
}

#[test]
fn every_variable_that_the_stack_reads_is_explained_and_no_other_is() {
    let example = read(".env.example");
    let explained: BTreeMap<_, _> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .collect();
    let yaml = read("docker-compose.yml");
    let lines = yaml.lines().filter(|line| !line.trim_start().starts_with('#'));
    let asked = variables(&lines.collect::<Vec<_>>().join("\n"));
    let names: BTreeSet<&str> = explained.keys().copied().collect();
    assert_eq!(names, asked.keys().map(String::as_str).collect());
    for name in explained.keys() {
        let secret = ["PASSWORD", "API_KEY", "TOKEN", "SECRET"];
        assert!(!secret.iter().any(|word| name.contains(word)), "{name} belongs in .secrets");
    }
    assert_eq!(explained["KASPARRO_PORT"], asked["KASPARRO_PORT"]);
    assert_eq!(explained["BIND"], asked["BIND"]);
}

#[test]
fn every_setting_that_the_stack_passes_on_is_one_of_the_program() {
    let known: toml::Table = include_str!("../config.default.toml").parse().unwrap();
    let mut seen = 0;
    for (name, service) in compose()["services"].as_object().unwrap() {
        let environment = service["environment"].as_object();
        for variable in environment.into_iter().flatten().map(|(variable, _)| variable) {
            // An older name, without a section.
            if variable == "KASPARRO_SECRET_FILE" {
                continue;
            }
            let Some(key) = variable.strip_prefix("KASPARRO_") else { continue };
            let key = key.to_ascii_lowercase();
            let mut parts = key.split("__");
            let first = known.get(parts.next().unwrap());
            let found = parts.try_fold(first.unwrap(), |table, part| table.get(part));
            assert!(found.is_some(), "{name}: {variable}");
            seen += 1;
        }
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn the_image_holds_the_program_alone_and_runs_it_as_nobody() {
    let dockerfile = read("Dockerfile");
    let (before, last) = dockerfile.rsplit_once("\nFROM ").unwrap();
    assert!(last.starts_with("scratch AS program\n"), "the last stage is what is built: {last}");
    for line in [
        "USER 65532:65532",
        "ENTRYPOINT [\"kasparro\"]",
        "CMD [\"serve\"]",
        "VOLUME /data",
        // Where ./data is /data.
        "WORKDIR /",
    ] {
        assert!(last.lines().any(|found| found == line), "{line}");
    }
    assert!(last.contains("CMD [\"kasparro\", \"healthcheck\"]"));
    let ends = before.contains("cargo build --release --locked --package kasparro \\\n");
    assert!(ends, "the image is built as the release is, without the points of tests");
    let toolchain: toml::Table = read("rust-toolchain.toml").parse().unwrap();
    let version = toolchain["toolchain"]["channel"].as_str().unwrap();
    assert!(dockerfile.contains(&format!("\nARG RUST={version}\n")), "Rust {version}");
    let test = before.rsplit_once("\nFROM toolchain AS test").unwrap().1;
    assert!(test.contains("\nUSER 65532:65532\n") && test.contains("exec make test"), "{test}");
}

#[test]
fn the_scripts_are_posix_shell_and_may_be_executed() {
    for script in ["scripts/smoke.sh", "scripts/make-env.sh", "deploy/image-root.sh"] {
        let path = root().join(script);
        let checked = Command::new("sh").arg("-n").arg(&path).output().unwrap();
        assert!(checked.status.success(), "{script}: {checked:?}");
        assert!(read(script).starts_with("#!/bin/sh\n"), "{script}");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script}");
    }
}

#[test]
fn passwords_are_made_once_each_their_own_in_a_folder_that_others_cannot_enter() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::create_dir(here.join("scripts")).unwrap();
    std::fs::copy(root().join("scripts/make-env.sh"), here.join("scripts/make-env.sh")).unwrap();
    std::fs::copy(root().join(".env.example"), here.join(".env.example")).unwrap();
    let make = || {
        let made = Command::new(here.join("scripts/make-env.sh")).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let said = String::from_utf8_lossy(&made.stdout).into_owned();
        let mut secrets = BTreeMap::new();
        for entry in std::fs::read_dir(here.join(".secrets")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            secrets.insert(name, std::fs::read_to_string(path).unwrap());
        }
        (said, secrets)
    };
    let (said, first) = make();
    let mode = std::fs::metadata(here.join(".secrets")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let asked: BTreeSet<String> =
        compose()["secrets"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(first.keys().cloned().collect::<BTreeSet<_>>(), asked);
    let mut seen = BTreeSet::new();
    let made = |name: &str| name.ends_with("_password") || name == "server_secret";
    for (name, secret) in first.iter().filter(|(name, _)| made(name)) {
        let hex = secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(hex, "{name}");
        assert!(seen.insert(secret), "{name} is another's");
        assert!(!said.contains(secret.as_str()), "{name} is printed");
    }
    assert_eq!(seen.len(), 5);
    std::fs::write(here.join(".env"), "KASPARRO_PORT=9000\n").unwrap();
    std::fs::write(here.join(".secrets/coingecko_api_key"), "mine").unwrap();
    let (_, second) = make();
    for (name, secret) in &first {
        let kept = if name == "coingecko_api_key" { "mine" } else { secret };
        assert_eq!(second[name], kept, "{name} stays");
    }
    assert_eq!(std::fs::read_to_string(here.join(".env")).unwrap(), "KASPARRO_PORT=9000\n");
}

#[test]
fn the_folder_of_the_image_holds_every_library_that_the_program_asks_for() {
    if !Path::new("/etc/ssl/certs/ca-certificates.crt").is_file() {
        println!("skipped: this system keeps its certificates elsewhere than the image's builder");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let collected = Command::new(root().join("deploy/image-root.sh"))
        .args([Path::new(env!("CARGO_BIN_EXE_kasparro")), &image])
        .output()
        .unwrap();
    assert!(collected.status.success(), "{collected:?}");
    let listed = Command::new("ldd").arg(image.join("usr/local/bin/kasparro")).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let libraries: Vec<_> =
        listed.split_whitespace().filter(|word| word.starts_with('/')).collect();
    assert!(libraries.len() >= 2, "{listed}");
    for library in libraries {
        assert!(image.join(library.trim_start_matches('/')).is_file(), "{library}");
    }
    let roots = image.join("etc/ssl/certs/ca-certificates.crt");
    assert!(std::fs::read_to_string(roots).unwrap().contains("BEGIN CERTIFICATE"));
    assert!(!image.join("bin").exists() && !image.join("usr/bin").exists(), "there is no shell");
}
