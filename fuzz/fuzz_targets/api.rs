//! Any line as a command of the `cti` API: no panic, a reason of one line where it is refused,
//! and where it is not, the same line with its words further apart asks for the same.
#![no_main]

#[path = "../../src/api/line.rs"]
mod line;

use libfuzzer_sys::fuzz_target;
use line::{Order, Request, read};
use mod_cti::plan;

fuzz_target!(|text: &str| {
    match read(text) {
        Ok(request) => {
            assert_eq!(read(&format!("\t {text} \n")).as_ref(), Ok(&request));
            let uuid = match &request {
                Request::Show { uuid, .. } | Request::Operate { uuid, .. } => uuid,
                _ => "-",
            };
            assert!(!uuid.is_empty() && !uuid.contains(char::is_whitespace));
            if let Request::Operate { order, .. } = &request {
                assert!(text.contains(order.name()));
                match order {
                    Order::Add(stage) => assert_eq!(stage.targets.len(), 1),
                    Order::Cancel(Some(word)) | Order::Drop(word) => assert!(!word.is_empty()),
                    _ => {}
                }
            }
        }
        Err(why) => assert!(!why.is_empty() && !why.contains('\n'), "{why:?}"),
    }
});
