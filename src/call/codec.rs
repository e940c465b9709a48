//! The caller takes the codec of the phone that he is about to hear (`inherit_codec`).
//! Core's waiting originate does so, and nobody else.
//! It counts only as long as the caller has no media yet.

use crate::plan::time::is_true;
use crate::switch::Session;

const CODECS: &str = "absolute_codec_string";

pub fn inherit(caller: &Session<'_>, peer: &Session<'_>) {
    let Some(asked) = caller.variable("inherit_codec") else {
        return;
    };
    if caller.has_media() || !peer.has_media() {
        return;
    }
    if asked.eq_ignore_ascii_case("passthru") {
        return caller.set(CODECS, peer.variable("ep_codec_string").as_deref());
    }
    let offered = caller.variable("ep_codec_string").unwrap_or_default();
    let said = |name: &str| peer.variable(&format!("rtp_use_codec_{name}"));
    let (Some(name), Some(rate), Some(time)) = (said("name"), said("rate"), said("ptime")) else {
        return;
    };
    let known = offered
        .to_ascii_lowercase()
        .contains(&name.to_ascii_lowercase());
    if !is_true(&asked) || !known {
        return;
    }
    let video = peer.variable("rtp_use_video_codec_name");
    let video = video.map_or(String::new(), |name| format!(",{name}"));
    caller.set(CODECS, Some(&format!("{name}@{rate}h@{time}i{video}")));
}
