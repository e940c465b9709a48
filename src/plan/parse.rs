//! Reads the text of a plan, once from left to right, following what `bridge` makes of it.
//! [`parse`] lists where the two differ on purpose; comments name the behaviour of FreeSWITCH they follow.
//! Every loop moves forward and no look-ahead is repeated, so hostile text costs linear time.

use super::{Limits, Part, Plan, PlanError, Stage, Target, Variable, Variables};

const PART_SEPARATOR: &str = ":_:";

/// Line breaks and tabs come from plans laid out in XML; `bridge` knows only the space.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Reads a plan.
///
/// What `bridge` accepts means the same here, but for the following, where `bridge` cuts or loses text:
/// - One level of quotes and escapes is undone. `bridge` undoes two in `{…}` and up to four in `[…]`,
///   which cuts `[a='x,y']` at the comma and trims the spaces of `{a='x '}`.
/// - An apostrophe between two letters is a letter, in a value and in a target, and `"…"` protects
///   what stands in it and stays: see `Quotes` below. `bridge` has every apostrophe open or close a quote.
/// - A block is a whole: `|`, `:_:` and quotes in `{…}` or `[…]` never reach beyond it,
///   and a bracket inside a value that stands in quotes belongs to the value.
/// - A bracket within a target is text; in `bridge` it swallows the commas, and with them the targets,
///   up to its partner.
/// - Blanks may stand between blocks, and tabs and line breaks count as blanks.
/// - `{…}` or `<…>` before a target that does not start a part is an error;
///   `bridge` takes it for the name of an endpoint and loses the target.
///
/// What stands in a block and is no `name=value` is read as nothing, as by `bridge`, and told of in
/// [`Plan::remarks`].
///
/// # Errors
/// A text that is too large, has no target, has variables without a target, has a block that does not end
/// or stands where it is not read, or has a control character in a target.
pub fn parse(text: &str, limits: &Limits) -> Result<Plan, PlanError> {
    let mut parser = Parser {
        text,
        at: 0,
        quoted: false,
        no_partner_before: 0,
        distrust_quotes: false,
        stage_separator: '|',
        target_separator: ',',
        targets_left: limits.targets,
        remarks: Vec::new(),
    };
    if text.len() > limits.bytes {
        let message = format!("plan is longer than {} bytes", limits.bytes);
        let mut offsets = text.char_indices().map(|(offset, _)| offset);
        let excess = offsets.rfind(|offset| *offset <= limits.bytes);
        return Err(parser.error(excess.unwrap_or_default(), message));
    }
    if let Some(nul) = text.find('\0') {
        return Err(parser.error(nul, "NUL character"));
    }
    parser.plan(limits)
}

struct Parser<'a> {
    text: &'a str,
    /// Byte offset of the next character.
    at: usize,
    /// Between two quotes of target text, where the stage separator does not separate.
    quoted: bool,
    /// Up to here a look-ahead has found no quote that could be a partner.
    no_partner_before: usize,
    /// See [`Parser::block`].
    distrust_quotes: bool,
    stage_separator: char,
    target_separator: char,
    targets_left: usize,
    remarks: Vec<PlanError>,
}

/// How many remarks are made on one plan.
const REMARKS: usize = 8;

/// A bracket block: where its variables begin, where its closing bracket stands, what separates them.
struct Block {
    content: usize,
    close: usize,
    separator: char,
}

impl Parser<'_> {
    fn plan(&mut self, limits: &Limits) -> Result<Plan, PlanError> {
        let mut plan = Plan {
            globals: Variables::default(),
            parts: Vec::new(),
            remarks: Vec::new(),
        };
        self.blocks('<', &mut plan.globals)?;
        loop {
            let part = self.part(limits)?;
            if !part.stages.is_empty() {
                plan.parts.push(part);
            }
            if !self.eat(PART_SEPARATOR) {
                break;
            }
        }
        if plan.parts.is_empty() {
            return Err(self.error(self.at, "expected a target"));
        }
        plan.remarks = std::mem::take(&mut self.remarks);
        Ok(plan)
    }

    fn part(&mut self, limits: &Limits) -> Result<Part, PlanError> {
        let mut part = Part {
            globals: Variables::default(),
            stages: Vec::new(),
        };
        // FreeSWITCH hands each part to an originate of its own, which reads `<…>` once more.
        let mut has_globals = self.blocks('<', &mut part.globals)?;
        has_globals |= self.blocks('{', &mut part.globals)?;
        self.quoted = false;
        self.stage_separator = self.chosen_separator(&[PART_SEPARATOR]).unwrap_or('|');
        loop {
            let stage = self.stage(limits)?;
            if !stage.targets.is_empty() {
                part.stages.push(stage);
            }
            if self.starts(PART_SEPARATOR) || !self.eat_char(self.stage_separator) {
                break;
            }
        }
        if has_globals && part.stages.is_empty() {
            return Err(self.error(self.at, "expected a target after the globals"));
        }
        Ok(part)
    }

    fn stage(&mut self, limits: &Limits) -> Result<Stage, PlanError> {
        let mut stage = Stage {
            targets: Vec::new(),
        };
        let mut encoded = [0; 4];
        let stage_separator: &str = self.stage_separator.encode_utf8(&mut encoded);
        self.target_separator = self
            .chosen_separator(&[PART_SEPARATOR, stage_separator])
            .unwrap_or(',');
        loop {
            let start = self.at;
            if let Some(target) = self.target()? {
                if self.targets_left == 0 {
                    let start = start + blank_prefix(&self.text[start..]);
                    let message = format!("more than {} targets", limits.targets);
                    return Err(self.error(start, message));
                }
                self.targets_left -= 1;
                stage.targets.push(target);
            }
            if self.starts(PART_SEPARATOR) || !self.eat_char(self.target_separator) {
                return Ok(stage);
            }
        }
    }

    /// `^^x` at the start of a list makes `x` its separator, unless nothing follows in the list.
    fn chosen_separator(&mut self, ends: &[&str]) -> Option<char> {
        self.skip_blanks();
        let mut rest = self.rest().strip_prefix("^^")?.chars();
        let separator = rest.next()?;
        let list = rest.as_str();
        if list.is_empty() || ends.iter().any(|end| list.starts_with(end)) {
            return None;
        }
        self.at = self.text.len() - list.len();
        Some(separator)
    }

    /// The next target, or none where two separators meet: variable expansion leaves such gaps behind.
    fn target(&mut self) -> Result<Option<Target>, PlanError> {
        self.skip_blanks();
        let start = self.at;
        let mut variables = Variables::default();
        let mut has_block = false;
        loop {
            has_block |= self.blocks('[', &mut variables)?;
            // FreeSWITCH has taken the quotes of the stage away before it looks for variables.
            if !(self.starts("'") && self.eat_quote(true)?) {
                break;
            }
        }
        let text_start = self.at;
        let text = self.target_text()?;
        let text = text.trim_matches(BLANKS);
        let misplaced = match text.chars().next() {
            None if has_block => "expected a target after the variables",
            None => return Ok(None),
            Some('{') => "globals '{…}' belong at the start of the plan",
            Some('<') => "globals '<…>' belong at the start of the plan",
            Some('[') => "variables '[…]' belong at the start of the target",
            Some(_) => {
                let (endpoint, address) = text.split_once('/').unwrap_or((text, ""));
                return Ok(Some(Target {
                    variables,
                    endpoint: endpoint.to_owned(),
                    address: address.to_owned(),
                    written: self.text[start..self.at].trim_matches(BLANKS).to_owned(),
                }));
            }
        };
        Err(self.error(text_start, misplaced))
    }

    /// Target text up to its separator, quotes and escapes undone. The target separator separates
    /// within quotes too: FreeSWITCH splits stages first, which takes the quotes away.
    fn target_text(&mut self) -> Result<String, PlanError> {
        let mut text = String::new();
        // A line break may stand at the ends, where it is a blank, but not between other characters.
        let mut control = None;
        while let Some(c) = self.peek() {
            let start = self.at;
            if self.starts(PART_SEPARATOR) {
                break;
            }
            let escape = self.escape();
            if escape.is_none() {
                if c == '\'' && self.eat_quote(false)? {
                    continue;
                }
                let stage_ends = c == self.stage_separator && !self.quoted;
                if c == self.target_separator || stage_ends {
                    break;
                }
            }
            let (length, meaning) = escape.unwrap_or((c.len_utf8(), c));
            self.at += length;
            let blank = escape.is_none() && BLANKS.contains(&c);
            if blank && text.is_empty() {
                continue;
            }
            if meaning.is_control() {
                control = control.or(Some(start));
            }
            if let Some(offset) = control.filter(|_| !blank) {
                return Err(self.error(offset, "control character in a target"));
            }
            text.push(meaning);
        }
        Ok(text)
    }

    /// Takes a quote of target text away, unless it is an apostrophe: between two letters, or without
    /// a partner.
    fn eat_quote(&mut self, target_begins: bool) -> Result<bool, PlanError> {
        if is_letter(self.text, self.at) {
            return Ok(false);
        }
        if !self.quoted && !self.has_partner(target_begins)? {
            return Ok(false);
        }
        self.quoted = !self.quoted;
        self.at += 1;
        Ok(true)
    }

    /// Whether the quote at `at` has a partner in the target text of this part.
    /// The look-ahead ends at the next quote, and one that finds none answers for all that it has
    /// passed, so two of them never cover the same text.
    fn has_partner(&mut self, mut target_begins: bool) -> Result<bool, PlanError> {
        let quote = self.at;
        if quote < self.no_partner_before {
            return Ok(false);
        }
        let mut stage_ended = false;
        self.at += 1;
        let found = loop {
            if target_begins {
                self.skip_blanks();
                if self.starts("[") {
                    // In `bridge` quotes pair up over the variables of a later stage too, and join the stages.
                    if stage_ended {
                        break false;
                    }
                    self.at = self.block()?.close + 1;
                    continue;
                }
            }
            let Some(c) = self.peek().filter(|_| !self.starts(PART_SEPARATOR)) else {
                break false;
            };
            if let Some((length, _)) = self.escape() {
                self.at += length;
                target_begins = false;
                continue;
            }
            if c == '\'' && !is_letter(self.text, self.at) {
                break true;
            }
            self.at += c.len_utf8();
            stage_ended |= c == self.stage_separator;
            target_begins = c == self.target_separator || c == self.stage_separator;
        };
        let reached = std::mem::replace(&mut self.at, quote);
        if !found {
            self.no_partner_before = reached;
        }
        Ok(found)
    }

    /// The escape that stands here in target text, if one does: its length and its meaning.
    fn escape(&self) -> Option<(usize, char)> {
        let escaped = self.rest().strip_prefix('\\')?.chars().next()?;
        let separators = [self.stage_separator, self.target_separator, ',', '|'];
        let meaning = unescape(escaped, &separators)?;
        Some((1 + escaped.len_utf8(), meaning))
    }

    /// Reads all blocks that open with `open` here. True if there was one, even an empty one.
    fn blocks(&mut self, open: char, variables: &mut Variables) -> Result<bool, PlanError> {
        let mut found = false;
        loop {
            self.skip_blanks();
            if self.peek() != Some(open) {
                return Ok(found);
            }
            found = true;
            let block = self.block()?;
            // FreeSWITCH has undone the separators of stages and targets before it reads `[…]`.
            let separators: &[char] = match open {
                '[' => &[block.separator, '=', ',', '|'],
                _ => &[block.separator, '='],
            };
            let content = &self.text[block.content..block.close];
            let mut unread = |offset: usize, text: &str| {
                if self.remarks.len() < REMARKS {
                    let message = format!("{text:?} is no name=value and says nothing");
                    let remark = self.error(block.content + offset, message);
                    self.remarks.push(remark);
                }
            };
            read_variables(content, block.separator, separators, variables, &mut unread);
            self.at = block.close + 1;
        }
    }

    /// The block that opens at `at`.
    ///
    /// FreeSWITCH balances brackets and does not look at quotes. We pass over a value in quotes first;
    /// only if that leaves the block open is a quote read as FreeSWITCH does. Having had to
    /// do so once, the parser no longer trusts quotes, or many such blocks would take quadratic time.
    fn block(&mut self) -> Result<Block, PlanError> {
        let open = self.at;
        let content = open + 1 + blank_prefix(&self.text[open + 1..]);
        let mut block = Block {
            content,
            close: 0,
            separator: ',',
        };
        let mut chosen = false;
        if let Some(rest) = self.text[content..].strip_prefix("^^") {
            chosen = true;
            if let Some(separator) = rest.chars().next() {
                block.separator = separator;
                block.content = content + 2 + separator.len_utf8();
            }
        }
        let mut close = None;
        if !self.distrust_quotes {
            close = closing_bracket(self.text, open, block.separator, true);
            self.distrust_quotes = close.is_none();
        }
        close = close.or_else(|| closing_bracket(self.text, open, block.separator, false));
        let Some(close) = close else {
            return Err(self.error(open, format!("unclosed '{}'", &self.text[open..=open])));
        };
        if chosen && block.content > close {
            return Err(self.error(content + 2, "expected a separator after '^^'"));
        }
        // `[ ]`: the blanks run up to the bracket, never past it.
        block.close = close;
        Ok(block)
    }

    fn error(&self, offset: usize, message: impl Into<String>) -> PlanError {
        PlanError {
            column: self.text[..offset].chars().count() + 1,
            message: message.into(),
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn starts(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.starts(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn eat_char(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn skip_blanks(&mut self) {
        self.at += blank_prefix(self.rest());
    }
}

fn blank_prefix(text: &str) -> usize {
    text.len() - text.trim_start_matches(BLANKS).len()
}

/// Where the bracket at `open` is closed, nested ones balanced. With `quotes`, brackets do not count
/// in a quote that begins and ends a value (or a whole `name=value`).
fn closing_bracket(text: &str, open: usize, separator: char, quotes: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let opening = bytes[open];
    let closing = match opening {
        b'[' => b']',
        b'{' => b'}',
        _ => b'>',
    };
    let mut encoded = [0; 4];
    let separator: &str = separator.encode_utf8(&mut encoded);
    let block = Quotes {
        text,
        separator,
        closing: Some(closing),
    };
    let mut depth = 0_usize;
    let mut value_begins = true;
    let mut at = open + 1;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        let began = value_begins;
        value_begins = byte == b'=' || bytes[..at].ends_with(separator.as_bytes());
        if byte == closing {
            if depth == 0 {
                return Some(at - 1);
            }
            depth -= 1;
        } else if byte == opening {
            depth += 1;
        } else if byte == b'\\' && matches!(bytes.get(at), Some(b'\\' | b'\'' | b'"')) {
            at += 1;
        } else if quotes && began && matches!(byte, b'\'' | b'"') {
            let partner = match byte {
                b'"' => block.double(at - 1),
                _ => block.single(at - 1, true),
            };
            if let Some(partner) = partner.filter(|partner| block.value_ends(partner + 1)) {
                at = partner + 1;
            }
        } else if is_blank(byte) {
            value_begins |= began;
        }
    }
    None
}

/// The quotes of a block, and where they close.
///
/// - `\'` and `\"` are letters, and so is a `'` between two letters or digits.
/// - A `'` at the beginning of a value, or of a whole `name=value`, closes where the value ends: the
///   apostrophe of `'O'Brien'` is a letter. Where no quote ends the value, the next one closes.
/// - Elsewhere two `'` protect what stands between them, unless that has another variable in it:
///   then they are letters.
/// - `"…"` protects and stays part of the value. It opens where no letter and no digit stands before it.
/// - What has no partner is a letter.
struct Quotes<'t> {
    text: &'t str,
    separator: &'t str,
    /// The bracket that ends the block; none where the block's content is the whole text.
    closing: Option<u8>,
}

impl Quotes<'_> {
    /// The partner of the `'` at `at`. The look-ahead goes no further than the next quote that is no
    /// letter, so two of them never cover the same text.
    fn single(&self, at: usize, value_begins: bool) -> Option<usize> {
        if !value_begins && self.is_letter(at) {
            return None;
        }
        let mut letter = None;
        let mut from = at + 1;
        while let Some(quote) = next(b'\'', self.text, from) {
            from = quote + 1;
            if value_begins && self.value_ends(quote + 1) {
                return Some(quote);
            }
            if !self.is_letter(quote) {
                let partner = match value_begins {
                    true => !self.begins_a_value(quote),
                    false => !self.has_a_variable(at + 1, quote),
                };
                return letter.or_else(|| partner.then_some(quote));
            }
            if value_begins {
                letter = letter.or(Some(quote));
            }
        }
        letter
    }

    fn double(&self, at: usize) -> Option<usize> {
        if self.text[..at].ends_with(char::is_alphanumeric) {
            return None;
        }
        let partner = next(b'"', self.text, at + 1)?;
        let goes_on = self.text[partner + 1..].starts_with(char::is_alphanumeric);
        (!goes_on).then_some(partner)
    }

    fn value_ends(&self, from: usize) -> bool {
        let rest = &self.text[from..];
        let behind = rest.trim_start_matches(BLANKS);
        rest.starts_with(self.separator)
            || behind.starts_with(self.separator)
            || match self.closing {
                Some(closing) => behind.as_bytes().first() == Some(&closing),
                None => behind.is_empty(),
            }
    }

    /// Not where the separator is a letter and stands before it.
    fn is_letter(&self, at: usize) -> bool {
        is_letter(self.text, at) && !self.text[..at].ends_with(self.separator)
    }

    fn begins_a_value(&self, at: usize) -> bool {
        let before = self.text[..at].trim_end_matches(BLANKS);
        before.ends_with('=') || before.ends_with(self.separator)
    }

    fn has_a_variable(&self, from: usize, to: usize) -> bool {
        let behind = self.text[from..to].split_once(self.separator);
        behind.is_some_and(|(_, behind)| behind.contains('='))
    }
}

/// Whether the apostrophe at `at` stands between two letters or digits.
fn is_letter(text: &str, at: usize) -> bool {
    text[..at].ends_with(char::is_alphanumeric) && text[at + 1..].starts_with(char::is_alphanumeric)
}

/// The next quote of this kind that is not escaped.
fn next(quote: u8, text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match *text.as_bytes().get(at)? {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
}

fn is_blank(byte: u8) -> bool {
    BLANKS.contains(&char::from(byte))
}

/// Reads `name=value` entries. As in FreeSWITCH, an entry without `=`, a name or a value says nothing,
/// and `=` ends the name even in quotes, but not after a backslash. `unread` is told of what is lost so.
fn read_variables(
    content: &str,
    separator: char,
    separators: &[char],
    variables: &mut Variables,
    unread: &mut dyn FnMut(usize, &str),
) {
    let mut encoded = [0; 4];
    let quotes = Quotes {
        text: content,
        separator: separator.encode_utf8(&mut encoded),
        closing: None,
    };
    let mut closes = None;
    let mut value_begins = true;
    let mut name: Option<String> = None;
    let mut piece = Piece::default();
    let mut start = 0;
    let mut entry = |name: Option<String>, value: String, start: usize| {
        let said = name.filter(|name| !name.is_empty());
        match said {
            Some(_) if value.is_empty() => {}
            Some(name) => variables.0.push(Variable { name, value }),
            None if value.is_empty() => {}
            None => unread(start + blank_prefix(&content[start..]), &value),
        }
    };
    let mut characters = content.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let began = std::mem::take(&mut value_begins);
        let partner = match c {
            _ if closes.is_some() => None,
            '\'' => quotes.single(at, began),
            '"' => quotes.double(at),
            _ => None,
        };
        if c == '\\' {
            let meaning = characters
                .peek()
                .and_then(|(_, escaped)| unescape(*escaped, separators));
            if meaning.is_some() {
                characters.next();
            }
            piece.push(meaning.unwrap_or(c), true);
        } else if partner.is_some() || closes == Some(at) {
            closes = partner;
            if c == '"' {
                piece.push(c, true);
            }
        } else if c == separator && closes.is_none() {
            entry(name.take(), piece.take(), start);
            start = at + c.len_utf8();
            value_begins = true;
        } else if c == '=' && name.is_none() {
            name = Some(piece.take());
            value_begins = true;
        } else {
            piece.push(c, closes.is_some());
            value_begins = c == '=' || began && BLANKS.contains(&c);
        }
    }
    entry(name, piece.take(), start);
}

/// A name or a value under construction: blanks at its ends are dropped unless quoted or escaped.
#[derive(Default)]
struct Piece {
    text: String,
    /// Length up to the last character that stays.
    kept: usize,
}

impl Piece {
    fn push(&mut self, c: char, keep: bool) {
        let blank = !keep && BLANKS.contains(&c);
        if blank && self.text.is_empty() {
            return;
        }
        self.text.push(c);
        if !blank {
            self.kept = self.text.len();
        }
    }

    fn take(&mut self) -> String {
        self.text.truncate(self.kept);
        self.kept = 0;
        std::mem::take(&mut self.text)
    }
}

/// What a backslash before `escaped` means; none where FreeSWITCH keeps the backslash.
fn unescape(escaped: char, separators: &[char]) -> Option<char> {
    match escaped {
        _ if separators.contains(&escaped) => Some(escaped),
        '\'' | '"' | '\\' => Some(escaped),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        's' => Some(' '),
        _ => None,
    }
}
