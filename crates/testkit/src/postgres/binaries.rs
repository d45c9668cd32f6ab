//! Where the programs of a PostgreSQL server are.

use std::path::{Path, PathBuf};

/// Folders of distributions: what stands before and after the version. `.ci/postgres` looks in the same.
const FOLDERS: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/usr/local", "pgsql", "bin"),
];

/// The folder that holds `postgres` and `initdb`: that of the search path, else the newest of the
/// distributions' folders.
pub(super) fn find(search_path: &str) -> Option<PathBuf> {
    let on_path = std::env::split_paths(search_path).filter_map(|folder| complete(&folder));
    let of_distributions =
        FOLDERS.iter().flat_map(|(parent, prefix, rest)| versions(Path::new(parent), prefix, rest));
    on_path.chain(of_distributions).next()
}

/// The real folder of `postgres`, where `initdb` lies beside it. A link somewhere else does not help:
/// `initdb` looks for the server beside itself.
fn complete(folder: &Path) -> Option<PathBuf> {
    let real = folder.join("postgres").canonicalize().ok()?;
    let folder = real.parent()?.to_owned();
    folder.join("initdb").is_file().then_some(folder)
}

/// The complete folders `parent/prefix*/rest`, newest version first.
fn versions(parent: &Path, prefix: &str, rest: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().map_while(Result::ok);
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?;
            let numbers = version.split(|c: char| !c.is_ascii_digit());
            let numbers = numbers.filter_map(|number| number.parse().ok()).collect();
            Some((numbers, complete(&entry.path().join(rest))?))
        })
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::{complete, find, versions};

    fn server(folder: &std::path::Path) {
        std::fs::create_dir_all(folder).unwrap();
        for program in ["postgres", "initdb"] {
            std::fs::write(folder.join(program), "").unwrap();
        }
    }

    #[test]
    fn the_newest_version_comes_first_and_an_incomplete_one_not_at_all() {
        let parent = tempfile::tempdir().unwrap();
        for version in ["9.6", "15", "16"] {
            server(&parent.path().join(version).join("bin"));
        }
        std::fs::create_dir_all(parent.path().join("17/bin")).unwrap();
        let found = versions(parent.path(), "", "bin");
        let names: Vec<_> =
            found.iter().map(|bin| bin.parent().unwrap().file_name().unwrap()).collect();
        assert_eq!(names, ["16", "15", "9.6"]);
    }

    #[test]
    fn a_link_on_the_search_path_leads_to_the_real_folder() {
        let parent = tempfile::tempdir().unwrap();
        let (real, links) = (parent.path().join("real"), parent.path().join("links"));
        server(&real);
        std::fs::create_dir_all(&links).unwrap();
        std::os::unix::fs::symlink(real.join("postgres"), links.join("postgres")).unwrap();
        let real = real.canonicalize().unwrap();
        assert_eq!(complete(&links), Some(real.clone()));
        assert_eq!(find(links.to_str().unwrap()), Some(real));
    }
}
