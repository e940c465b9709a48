//! Groups, written shortly: `rotate one timeout=5 / 1 tier=2 / 2 / ring/other`.
//! Words without `=` before the first member are order and step; a bare number is a user.

use mod_cti::groups::config::{Config, Element, Group, Problem};
use std::sync::Arc;

pub fn group_element(name: &str, text: &str) -> Element {
    let mut pieces = text.split(" / ").map(str::trim);
    let mut attributes = vec![("name".to_owned(), name.to_owned())];
    let mut bare = ["order", "step"].iter();
    for word in pieces.next().unwrap_or_default().split_whitespace() {
        attributes.push(match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => {
                let name = bare.next().expect("order and step, no more");
                ((*name).to_owned(), word.to_owned())
            }
        });
    }
    let member = |text: &str| {
        let mut words = text.split_whitespace();
        let target = words.next().unwrap_or_default();
        let number = target.bytes().all(|byte| byte.is_ascii_digit());
        let target = match number && !target.is_empty() {
            true => format!("user/{target}"),
            false => target.to_owned(),
        };
        let mut attributes = vec![("target".to_owned(), target)];
        attributes.extend(words.map(|word| {
            let (name, value) = word.split_once('=').expect("name=value");
            (name.to_owned(), value.to_owned())
        }));
        Element {
            name: "member".to_owned(),
            attributes,
            children: Vec::new(),
        }
    };
    Element {
        name: "group".to_owned(),
        attributes,
        children: pieces.map(member).collect(),
    }
}

pub fn read(groups: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let children = groups.iter().map(|(name, text)| group_element(name, text));
    let groups = Element {
        name: "groups".to_owned(),
        attributes: Vec::new(),
        children: children.collect(),
    };
    Config::read(&[groups], Some("d"))
}

pub fn group(text: &str) -> Arc<Group> {
    let config = read(&[("g", text)]).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    Arc::clone(&config.groups["g"])
}

/// `1` for `user/1`, `ring/x` for that group.
pub fn short(target: &str) -> &str {
    target.strip_prefix("user/").unwrap_or(target)
}
