//! Any answer of the Extensions API can be read: an identifier that can be sent back as a header,
//! and whether this is the end.

#![no_main]

use extension::registration::Answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(answer) = Answer::read(bytes) else { return };
    if let Some(id) = answer.identifier() {
        assert_eq!(answer.status, 200);
        assert!(!id.bytes().any(|byte| byte.is_ascii_control()), "a request would break on {id:?}");
    }
    let _ = answer.is_shutdown();
});
