//! Writes a plan back as text that parses to an equal plan.
//! Escapes are preferred to quotes, because `bridge` cuts a quoted comma in `[…]` but reads `\,` right;
//! quotes are kept for what has no escape: brackets, separators and spaces at the ends.

use std::fmt::{self, Display, Formatter, Write};

use super::{Part, Plan, Stage, Target, Variable, Variables};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        block(f, '<', &self.globals, '>')?;
        separated(f, &self.parts, ":_:")
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        block(f, '{', &self.globals, '}')?;
        separated(f, &self.stages, "|")
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        separated(f, &self.targets, ",")
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        block(f, '[', &self.variables, ']')?;
        let mut dial_string = self.dial_string();
        if self.address.is_empty() && (self.endpoint.is_empty() || self.endpoint.ends_with(' ')) {
            // Bare, an empty endpoint would be skipped and a space at its end trimmed.
            dial_string.push('/');
        }
        // `:_` may be completed to a part separator by what follows it.
        let mut text = escaped(&dial_string, &[',', '|']).replace(":_", ":'_'");
        if text.starts_with("^^") {
            // Bare, it would choose another separator for the stage.
            text.insert_str(0, "''");
        }
        f.write_str(&text)
    }
}

fn separated(f: &mut Formatter<'_>, items: &[impl Display], separator: &str) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn block(f: &mut Formatter<'_>, open: char, variables: &Variables, close: char) -> fmt::Result {
    if variables.is_empty() {
        return Ok(());
    }
    f.write_char(open)?;
    separated(f, &variables.0, ",")?;
    f.write_char(close)
}

impl Display for Variable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = escaped(&self.name, &[',', '=']);
        let value = escaped(&self.value, &[',']);
        if needs_quotes(&self.name) || self.name.starts_with("^^") {
            write!(f, "'{name}={value}'")
        } else if needs_quotes(&self.value) {
            write!(f, "{name}='{value}'")
        } else {
            write!(f, "{name}={value}")
        }
    }
}

fn needs_quotes(text: &str) -> bool {
    text.contains(['[', ']', '{', '}', '<', '>', '|'])
        || text.contains(":_:")
        || text.starts_with(' ')
        || text.ends_with(' ')
}

fn escaped(text: &str, separators: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        let letter = match c {
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '\\' | '\'' | '"' => c,
            c if separators.contains(&c) => c,
            c => {
                escaped.push(c);
                continue;
            }
        };
        escaped.extend(['\\', letter]);
    }
    escaped
}
