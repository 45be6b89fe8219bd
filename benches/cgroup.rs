//! A bound on this process's memory that the system enforces, where it lets us: a cgroup.

use std::{fs, io, path::Path, process};

/// Where version 1 has its memory controller, and version 2 everything.
const ROOTS: [(&str, &str); 2] = [
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
    ("/sys/fs/cgroup", "memory.max"),
];

/// Puts this process into a memory cgroup of its own: beyond `limit_mib` the system ends it.
///
/// # Errors
/// Where there is no such controller, or this process may not use it.
pub fn enter(limit_mib: u64) -> io::Result<()> {
    let (root, file) = ROOTS
        .into_iter()
        .find(|(root, file)| {
            // The root of version 2 has no limit of its own, but names its controllers.
            let controllers = Path::new(root).join("cgroup.controllers");
            Path::new(root).join(file).exists()
                || fs::read_to_string(controllers).is_ok_and(|text| text.contains("memory"))
        })
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no memory controller"))?;
    let own = Path::new(root).join(format!("dragonfly-{}", process::id()));
    fs::create_dir(&own)?;
    fs::write(own.join(file), (limit_mib << 20).to_string())?;
    // Not even by way of swapping.
    let swap = own.join("memory.swap.max");
    if swap.exists() {
        fs::write(swap, "0")?;
    }
    fs::write(own.join("cgroup.procs"), process::id().to_string())
}
