//! Rust source as far as arrows need it: no comments, no literals, no test modules; modules, and the paths that leave them.

use std::fs;
use std::path::{Path, PathBuf};

/// Source text with comments and what stands in string and character literals replaced by spaces; lines stay where they are.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut blanked = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment(bytes, at);
        let from = at;
        at = end.unwrap_or(at + 1);
        if end.is_some() {
            blanked[from..at].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
    }
    // What is not ASCII stands in comments and literals only; elsewhere it stays as it is, whole.
    String::from_utf8_lossy(&blanked).into_owned()
}

/// Where the comment or literal that begins at `at` ends, if one does.
fn literal_or_comment(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    match rest {
        [b'/', b'/', ..] => Some(at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(block_comment(bytes, at)),
        [b'"', ..] => Some(quoted(bytes, at + 1, b'"')),
        [b'r', ..] if !continues_word(bytes, at) => raw_string(bytes, at),
        [b'\'', b'\\', ..] => Some(quoted(bytes, at + 1, b'\'')),
        // `'a'` is a character, `'a` a lifetime; a character may have up to four bytes.
        [b'\'', ..] => (2..=5).find(|n| rest.get(*n) == Some(&b'\'')).and_then(|n| {
            let inside = std::str::from_utf8(&rest[1..n]).ok()?;
            (inside.chars().count() == 1).then_some(at + n + 1)
        }),
        _ => None,
    }
}

/// Whether the byte before `at` belongs to the same word, but for the `b` and `c` of `br"` and `cr"`.
fn continues_word(bytes: &[u8], at: usize) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    match &bytes[..at] {
        [.., before, b'b' | b'c'] => word(before),
        [b'b' | b'c'] | [] => false,
        [.., before] => word(before),
    }
}

fn block_comment(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_u32);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    at
}

/// The end of a literal with escapes whose inside begins at `at`.
fn quoted(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of `r"..."`, `r#"..."#`; `r#word` is none.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let inside = at + 1 + hashes;
    if bytes.get(inside) != Some(&b'"') {
        return None;
    }
    let end = [&b"\""[..], &vec![b'#'; hashes]].concat();
    let length = bytes[inside + 1..].windows(end.len()).position(|window| window == end);
    Some(length.map_or(bytes.len(), |length| inside + 1 + length + end.len()))
}

/// A word or a sign, and its line, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The words and signs of blanked source; `::` is one sign.
pub(crate) fn tokens(blanked: &str) -> Vec<Token<'_>> {
    let mut all = Vec::new();
    for (line, text) in (1..).zip(blanked.lines()) {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let length = match first {
                _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                other => other.len_utf8(),
            };
            let (token, more) = rest.split_at(length);
            all.push(Token { text: token, line });
            rest = more.trim_start();
        }
    }
    all
}

/// Tokens without the items that only tests see.
pub(crate) fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut left = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_test = tokens[at..].iter().map(|token| token.text).take(TEST.len()).eq(TEST);
        if is_test {
            at = item_end(tokens, at + TEST.len());
        } else {
            left.push(tokens[at]);
            at += 1;
        }
    }
    left
}

/// Where the item that begins at `at` ends: after its first `;` or braces outside of brackets.
fn item_end(tokens: &[Token<'_>], mut at: usize) -> usize {
    let mut depth = 0_u32;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.text {
            "{" | "[" | "(" => depth += 1,
            "}" | "]" | ")" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" {
                    return at;
                }
            }
            ";" if depth == 0 => return at,
            _ => {}
        }
    }
    at
}

/// A path that leaves a module for one right under the crate's root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    /// The module right under the root that the path stands in.
    pub(crate) from: String,
    /// The one it names.
    pub(crate) to: String,
    /// Where it stands.
    pub(crate) file: PathBuf,
    /// From 1.
    pub(crate) line: usize,
}

/// All paths in a crate's modules, tests left out, that name another module right under its root. `root` is its lib.rs.
pub(crate) fn uses(root: &Path) -> Vec<Use> {
    let text = read(root);
    let blanked = blank(&text);
    let tokens = without_tests(&tokens(&blanked));
    let top: Vec<String> = declared(&tokens).map(str::to_owned).collect();
    let folder = root.parent().unwrap_or(root);
    let mut all = Vec::new();
    for module in &top {
        let file = module_file(folder, module);
        File { path: &file, module: vec![module.clone()], top: &top }.walk(&mut all);
    }
    all.retain(|found| found.from != found.to);
    all
}

/// Modules that are declared with `mod name;`.
fn declared<'a>(tokens: &[Token<'a>]) -> impl Iterator<Item = &'a str> {
    tokens
        .windows(3)
        .filter(|three| three[0].text == "mod" && three[2].text == ";")
        .map(|three| three[1].text)
}

fn module_file(folder: &Path, module: &str) -> PathBuf {
    let flat = folder.join(format!("{module}.rs"));
    if flat.exists() { flat } else { folder.join(module).join("mod.rs") }
}

/// A source file on the way through a crate.
struct File<'a> {
    path: &'a Path,
    /// Its module, from the root.
    module: Vec<String>,
    /// The modules right under the root.
    top: &'a [String],
}

impl File<'_> {
    /// Collects the paths of this file and of the modules it declares.
    fn walk(&self, all: &mut Vec<Use>) {
        let text = read(self.path);
        let blanked = blank(&text);
        let tokens = without_tests(&tokens(&blanked));
        self.paths(&tokens, all);
        let folder = match self.path.file_name().and_then(|name| name.to_str()) {
            Some("mod.rs") => self.path.parent().unwrap_or(self.path).to_owned(),
            _ => self.path.with_extension(""),
        };
        for module in declared(&tokens) {
            let path = module_file(&folder, module);
            let module = self.module.iter().cloned().chain([module.to_owned()]).collect();
            File { path: &path, module, top: self.top }.walk(all);
        }
    }

    fn paths(&self, tokens: &[Token<'_>], all: &mut Vec<Use>) {
        let mut depth = 0_usize;
        // Inline modules: each with the depth of braces around it.
        let mut inline: Vec<usize> = Vec::new();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token.text {
                "{" => {
                    if at >= 3 && tokens[at - 3].text == "mod" {
                        inline.push(depth);
                    }
                    depth += 1;
                }
                "}" => {
                    depth = depth.saturating_sub(1);
                    inline.pop_if(|outside| *outside == depth);
                }
                "crate" => at = self.names_below_root(tokens, at, all),
                "super" => {
                    let mut levels = 1;
                    while is(tokens, at, &["::", "super"]) {
                        (levels, at) = (levels + 1, at + 2);
                    }
                    if levels == self.module.len() + inline.len() {
                        at = self.names_below_root(tokens, at, all);
                    }
                }
                _ => {}
            }
        }
    }

    /// Notes what the path that goes on at `at` names right under the root; returns where it was read to.
    fn names_below_root(&self, tokens: &[Token<'_>], at: usize, all: &mut Vec<Use>) -> usize {
        if !is(tokens, at, &["::"]) {
            return at;
        }
        for (name, line) in first_names(&tokens[at + 1..]) {
            if self.top.iter().any(|top| top == name) {
                let (from, to) = (self.module[0].clone(), name.to_owned());
                all.push(Use { from, to, file: self.path.to_owned(), line });
            }
        }
        // Within braces other paths may begin: they are read as all others.
        at + 1
    }
}

fn is(tokens: &[Token<'_>], at: usize, wanted: &[&str]) -> bool {
    tokens.get(at..).is_some_and(|rest| {
        rest.len() >= wanted.len() && rest.iter().zip(wanted).all(|(token, wanted)| token.text == *wanted)
    })
}

/// The first names of a path, or of each path in its braces, with their lines.
pub(crate) fn first_names<'a>(tokens: &[Token<'a>]) -> Vec<(&'a str, usize)> {
    let name = |token: &Token<'a>| (token.text, token.line);
    if !is(tokens, 0, &["{"]) {
        return tokens.first().map(name).into_iter().collect();
    }
    let (mut names, mut depth) = (Vec::new(), 0_u32);
    let mut before = "";
    for token in tokens {
        match token.text {
            "{" => depth += 1,
            "}" if depth == 1 => break,
            "}" => depth -= 1,
            "," | "::" => {}
            _ if depth == 1 && matches!(before, "{" | ",") => names.push(name(token)),
            _ => {}
        }
        before = token.text;
    }
    names
}

/// A source file's text; without it there is nothing to test.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder with one of these endings, sorted; build folders left out.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let hidden =
            path.file_name().is_some_and(|name| name == "target" || name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Use, blank, first_names, tokens, uses, without_tests};

    fn words(text: &str) -> String {
        let blanked = blank(text);
        without_tests(&tokens(&blanked)).iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        assert_eq!(words("a // b\n/* c /* d */ e */ f"), "a f");
        assert_eq!(
            words(r##"a("crate::x \" y", r#"z " w"#, b"q", br"\", 'c', '\'', '"', '→') b"##),
            "a ( , , b , b , , , , ) b"
        );
        assert_eq!(
            words("fn f<'a>(x: &'a str, r#type: u8) {}"),
            "fn f < ' a > ( x : & ' a str , r # type : u8 ) { }"
        );
        assert_eq!(blank("\"a\nb\" c").matches('\n').count(), 1);
    }

    #[test]
    fn what_only_tests_see_is_left_out() {
        assert_eq!(words("a; #[cfg(test)] mod tests { fn x() { {} } } b;"), "a ; b ;");
        assert_eq!(words("#[cfg(test)]\n#[path = \"t.rs\"]\npub(crate) mod t;\nb;"), "b ;");
        assert_eq!(words("#[cfg(test)] use x::{a, b}; c"), "; c");
        assert_eq!(words("#[cfg(unix)] mod a;"), "# [ cfg ( unix ) ] mod a ;");
    }

    #[test]
    fn first_names_of_groups_are_found() {
        let names = |text: &'static str| -> Vec<_> {
            first_names(&tokens(text)).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names("a::b"), ["a"]);
        assert_eq!(names("{a, b::{c, d::e}, f as g}; h"), ["a", "b", "f"]);
        assert_eq!(names("{self, a::{self, b}}"), ["self", "a"]);
    }

    #[test]
    fn paths_to_other_modules_are_found_wherever_they_stand() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            fs::write(path, text)
        };
        write("lib.rs", "mod a; mod b; pub mod c;\n#[cfg(test)] mod d;")?;
        write(
            "a.rs",
            "use crate::a::x;\nfn f() { crate::b::g(); }\nmod e;\nmod i { use super::super::c::D; use super::e; }",
        )?;
        write(
            "a/e.rs",
            "use super::super::{b::H, c};\nuse super::x;\n#[cfg(test)] mod tests { use crate::b; }",
        )?;
        write("b/mod.rs", "// crate::a\nconst X: &str = \"crate::a\"; pub(in crate::b) mod j;")?;
        write("b/j.rs", "macro_rules! m { () => { $crate::c::k() } }")?;
        write("c.rs", "")?;
        let found: Vec<_> = uses(&folder.path().join("lib.rs"))
            .into_iter()
            .map(|Use { from, to, file, line }| {
                let file = file
                    .strip_prefix(folder.path())
                    .map(|file| file.display().to_string())
                    .unwrap_or_default();
                format!("{from}->{to} {file}:{line}")
            })
            .collect();
        assert_eq!(found, ["a->b a.rs:2", "a->c a.rs:4", "a->b a/e.rs:1", "a->c a/e.rs:1", "b->c b/j.rs:1"]);
        Ok(())
    }
}
