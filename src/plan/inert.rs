//! Values of variables that nobody can run.
//! The switch expands what it expands again, so a value from outside must not hold an expression.
//! Where a value of ours is stored or sent, and where a dial string is filled in, it passes here.

use std::borrow::Cow;

/// A value that no expansion of the switch's can take for an expression: a space parts each
/// `$` from the `{` behind it.
///
/// The switch expands what it expands again (`${a}` in whose value `${b}` stands), so a value
/// that is stored must not hold an expression. Backslashes and apostrophes between the two
/// count as well, since an expansion may remove them, and so does a `$` at the end, since a
/// template may go on with a `{`.
pub fn inert(value: &str) -> Cow<'_, str> {
    let arms = |dollar: usize| {
        let rest = value[dollar + 1..].trim_start_matches(['\\', '\'']);
        rest.is_empty() || rest.starts_with('{')
    };
    if !value.contains('$') {
        return Cow::Borrowed(value);
    }
    let mut safe = String::with_capacity(value.len() + 8);
    let mut copied = 0;
    for (dollar, _) in value.match_indices('$').filter(|(at, _)| arms(*at)) {
        safe.push_str(&value[copied..=dollar]);
        safe.push(' ');
        copied = dollar + 1;
    }
    safe.push_str(&value[copied..]);
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_an_expansion_could_run_is_parted() {
        for (value, safe) in [
            ("plain", "plain"),
            ("cost: 5$, or $x", "cost: 5$, or $x"),
            ("${system(touch x)}", "$ {system(touch x)}"),
            ("a$${b}c${d}", "a$$ {b}c$ {d}"),
            (r"\${x}", r"\$ {x}"),
            (r"$\{x}", r"$ \{x}"),
            (r"$\'{x}", r"$ \'{x}"),
            ("ends with $", "ends with $ "),
            (r"$\", r"$ \"),
            ("$", "$ "),
        ] {
            assert_eq!(inert(value), safe, "{value:?}");
            assert_eq!(inert(&inert(value)), safe, "twice: {value:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_stored_can_be_expanded(value in "[$\\{\\}\\\\'a ]*") {
            let safe = inert(&value);
            let bare: String = safe.chars().filter(|c| !"\\'".contains(*c)).collect();
            prop_assert!(!bare.contains("${") && !bare.ends_with('$'), "{safe:?}");
        }
    }
}
