//! A plan in an SSM parameter or an S3 object. A separate program reads it, so that the extension
//! itself needs no TLS. It runs only if such a source is set. It must never delay an event and
//! never outlive the extension.

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use faults::plan::LARGEST_PLAN;
use rustix::event::{PollFd, PollFlags, poll};

use super::source::{Look, Source};

/// How long one look waits for output of the program.
const LOOK: Duration = Duration::from_secs(1);
/// The pause before the program is started again, at first and at most. It doubles each time the
/// program ends without output.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest line of its output.
const LONGEST_LINE: usize = 512;

/// Variables that could send the program's calls through a proxy, maybe the one whose calls a fault
/// affects.
const PROXIES: [&str; 8] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

/// The program that reads the plan, if it runs.
#[derive(Debug)]
pub struct Fetched {
    address: String,
    /// The possible paths, best first.
    programs: Vec<PathBuf>,
    running: Option<FetcherProcess>,
    /// Not started again before this.
    again: Option<Instant>,
    pause: Duration,
}

/// The program's process; killed when this is dropped. It ends by itself when its standard input, which `child` holds, is closed.
#[derive(Debug)]
struct FetcherProcess {
    child: Child,
    output: ChildStdout,
    /// Its output that is not parsed yet.
    said: Vec<u8>,
}

impl Drop for FetcherProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Fetched {
    /// The plan at `address`, read by the first of `programs` that exists.
    pub const fn new(address: String, programs: Vec<PathBuf>) -> Self {
        Self { address, programs, running: None, again: None, pause: FIRST_PAUSE }
    }

    fn started(&self) -> io::Result<FetcherProcess> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for program in &self.programs {
            let mut command = Command::new(program);
            command.arg(&self.address).stdin(Stdio::piped()).stdout(Stdio::piped());
            for proxy in PROXIES {
                command.env_remove(proxy);
            }
            match command.spawn() {
                Ok(mut child) => {
                    let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
                    return Ok(FetcherProcess { child, output, said: Vec::new() });
                }
                Err(error) => last = error,
            }
            if last.kind() != io::ErrorKind::NotFound {
                break;
            }
        }
        Err(last)
    }

    /// Drops the program; it is started again after a pause.
    fn rest(&mut self) {
        self.running = None;
        self.again = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn heard(&mut self) -> Look {
        let Some(running) = &mut self.running else { return Look::Waiting };
        match running.listen() {
            Ok(Heard::Look(look)) => {
                self.pause = FIRST_PAUSE;
                look
            }
            Ok(Heard::Nothing) => Look::Waiting,
            Ok(Heard::End(status)) => {
                self.rest();
                Look::Unanswered(format!("the program that fetches the plan has ended ({status})"))
            }
            Err(error) => {
                self.rest();
                Look::Unanswered(format!("the program that fetches the plan is not understood ({})", error.kind()))
            }
        }
    }
}

impl Source for Fetched {
    fn look(&mut self) -> Look {
        if self.running.is_none() {
            if self.again.is_some_and(|again| Instant::now() < again) {
                return Look::Waiting;
            }
            match self.started() {
                Ok(running) => self.running = Some(running),
                Err(error) => {
                    self.rest();
                    return Look::Missing(format!("the program that fetches the plan cannot be started ({})", error.kind()));
                }
            }
        }
        self.heard()
    }

    /// Drops the program, so that a new one reads everything again and does not call in step with
    /// other environments.
    fn forget(&mut self) {
        (self.running, self.again, self.pause) = (None, None, FIRST_PAUSE);
    }

    fn pause(&self) -> Duration {
        if self.running.is_some() { Duration::ZERO } else { LOOK.min(self.pause) }
    }
}

/// The result of waiting for output.
enum Heard {
    Nothing,
    Look(Look),
    End(ExitStatus),
}

impl FetcherProcess {
    /// Waits for a whole frame, at most for [`LOOK`].
    fn listen(&mut self) -> io::Result<Heard> {
        let until = Instant::now() + LOOK;
        loop {
            if let Some((look, length)) = frame(&self.said)? {
                self.said.drain(..length);
                // Release the memory of a large plan.
                self.said.shrink_to_fit();
                return Ok(Heard::Look(look));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.is_readable(left)? {
                return Ok(Heard::Nothing);
            }
            let mut piece = [0; 16 << 10];
            match self.output.read(&mut piece) {
                Ok(0) => {
                    // It may have closed its output without exiting.
                    self.child.kill()?;
                    return Ok(Heard::End(self.child.wait()?));
                }
                Ok(count) => self.said.extend_from_slice(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
    }

    fn is_readable(&self, left: Duration) -> io::Result<bool> {
        let timeout = rustix::event::Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(1), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&self.output, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The frame that `said` begins with, once it is whole, and its length: `same`, `missing <why>`,
/// `unanswered <why>`, or `found <length>`, with ` <ms since 1970>` if it is known when the source
/// stored it, and after the line's end that many bytes. It is a time and not an age, because the
/// environment may be frozen between writing and reading.
fn frame(said: &[u8]) -> io::Result<Option<(Look, usize)>> {
    let Some(end) = said.iter().position(|byte| *byte == b'\n') else {
        return if said.len() > LONGEST_LINE { Err(io::ErrorKind::InvalidData.into()) } else { Ok(None) };
    };
    let line = said.get(..end.min(LONGEST_LINE)).and_then(|line| std::str::from_utf8(line).ok()).ok_or(io::ErrorKind::InvalidData)?;
    let begin = end + 1;
    let look = match line.split_once(' ').unwrap_or((line, "")) {
        ("same", "") => Look::Same,
        ("missing", why) => Look::Missing(why.to_owned()),
        ("unanswered", why) => Look::Unanswered(why.to_owned()),
        ("found", rest) => {
            let (length, taken) = rest.split_once(' ').map_or((rest, None), |(length, taken)| (length, Some(taken)));
            let length = length.parse::<usize>().ok().filter(|length| *length <= LARGEST_PLAN + 1).ok_or(io::ErrorKind::InvalidData)?;
            let taken = taken.map(str::parse).transpose().map_err(|_| io::ErrorKind::InvalidData)?.map(Duration::from_millis);
            let Some(plan) = said.get(begin..begin + length) else { return Ok(None) };
            let age = taken.map(|taken| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(taken));
            return Ok(Some((Look::Found { plan: plan.to_vec(), age }, begin + length)));
        }
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    Ok(Some((look, begin)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    /// A fetcher that is a shell script.
    fn script(folder: &tempfile::TempDir, text: &str) -> Fetched {
        let program = folder.path().join("fetcher");
        std::fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Fetched::new("ssm:/plan".to_owned(), vec![folder.path().join("absent"), program])
    }

    /// The next result, skipping looks without one.
    fn next(source: &mut Fetched) -> Look {
        for _ in 0..30 {
            match source.look() {
                Look::Waiting => (),
                look => return look,
            }
        }
        panic!("nothing is said");
    }

    #[test]
    fn frames_are_parsed_however_they_are_cut() {
        let said = b"same\nfound 5\nhe\nlofound 1 99999999999999\nxmissing gone\nunanswered late\n";
        for cut in 0..=said.len() {
            let (mut bytes, mut looks) = (Vec::new(), String::new());
            for part in [&said[..cut], &said[cut..]] {
                bytes.extend_from_slice(part);
                while let Some((look, length)) = frame(&bytes).unwrap() {
                    bytes.drain(..length);
                    looks += &format!("{look:?} ");
                }
            }
            let found = "Found { plan: [104, 101, 10, 108, 111], age: None } Found { plan: [120], age: Some(0ns) }";
            let expected = format!("Same {found} Missing(\"gone\") Unanswered(\"late\") ");
            assert_eq!((looks, bytes.len()), (expected, 0), "cut at {cut}");
        }
    }

    #[test]
    fn an_invalid_frame_is_refused() {
        for said in [
            &b"hello\n"[..],
            b"found x\n",
            b"found -1\n",
            b"found 1 \nx",
            b"found 1 -2\nx",
            b"found 262146\n",
            b"found 99999999999999999999\n",
            b"\xff\n",
            &[b'x'; 600],
        ] {
            assert!(frame(said).is_err(), "{said:?}");
        }
    }

    #[test]
    fn the_programs_output_is_read_and_it_gets_the_address() {
        let folder = tempfile::tempdir().unwrap();
        let mut source = script(&folder, r#"printf "found %d\n%s" "${#1}" "$1"; cat"#);
        assert!(matches!(next(&mut source), Look::Found { plan, age: None } if plan == b"ssm:/plan"));
        source.forget();
        assert!(matches!(next(&mut source), Look::Found { .. }), "it is read anew");
    }

    #[test]
    fn a_program_that_ends_or_writes_nonsense_is_started_again_after_a_pause() {
        for text in ["exit 3", "echo hello; cat", "yes | head -c 5000000; cat"] {
            let folder = tempfile::tempdir().unwrap();
            let counted = folder.path().join("starts");
            let mut source = script(&folder, &format!("echo x >> {}; {text}", counted.display()));
            let began = Instant::now();
            assert!(matches!(next(&mut source), Look::Unanswered(_)), "{text}");
            assert!(source.pause() > Duration::ZERO && matches!(source.look(), Look::Waiting), "{text}");
            assert_eq!(std::fs::read_to_string(&counted).unwrap().lines().count(), 1, "{text}");
            while matches!(source.look(), Look::Waiting) {
                assert!(began.elapsed() < Duration::from_secs(30), "{text}");
                std::thread::sleep(Duration::from_millis(10));
            }
            assert_eq!(std::fs::read_to_string(&counted).unwrap().lines().count(), 2, "{text}");
        }
    }

    #[test]
    fn a_missing_program_means_no_plan() {
        let mut source = Fetched::new("ssm:/plan".to_owned(), vec!["/nowhere/fetcher".into()]);
        assert!(matches!(source.look(), Look::Missing(_)));
    }

    #[test]
    fn a_silent_program_delays_a_look_by_about_a_second_and_ends_with_the_source() {
        let folder = tempfile::tempdir().unwrap();
        let mut source = script(&folder, "exec sleep 1000");
        assert!(matches!(source.look(), Look::Waiting));
        let id = source.running.as_ref().unwrap().child.id();
        drop(source);
        let pid = rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
        assert!(rustix::process::test_kill_process(pid).is_err(), "it lives on");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = frame(&bytes);
        }
    }
}
