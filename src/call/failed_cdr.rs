//! The CDRs of legs that have failed, for a caller who asks for them: `failed_xml_cdr_prefix` and
//! `failed_json_cdr_prefix`. Each is a variable of the caller's, numbered through all his calls.
//! Core's waiting originate does so, and nobody else.

use super::desk::Hand;
use crate::switch::Session;

type Report = fn(&Session<'_>) -> Option<String>;

const KINDS: [(&str, Report); 2] = [
    ("failed_xml_cdr_prefix", |leg| leg.xml_cdr()),
    ("failed_json_cdr_prefix", |leg| leg.json_cdr()),
];

impl Hand<'_> {
    /// The legs that are over, in the order in which they ended.
    pub fn report_failed(&mut self) {
        let legs = std::mem::take(&mut self.desk.over);
        legs.iter().for_each(|leg| leg.wait_for_report());
        for (variable, report) in KINDS {
            let Some(prefix) = self.caller.variable(variable) else {
                continue;
            };
            let total = format!("{prefix}_total");
            let before = self.caller.variable(&total);
            let mut count: usize = before.and_then(|count| count.parse().ok()).unwrap_or(0);
            for report in legs.iter().filter_map(|leg| report(leg)) {
                count += 1;
                self.caller.set(&format!("{prefix}_{count}"), Some(&report));
            }
            self.caller.set(&total, Some(&count.to_string()));
        }
    }
}
