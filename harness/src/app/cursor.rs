//! Walks a script action by action, repetitions unrolled as they come.

use std::collections::VecDeque;

use crate::language::script::{Action, Script};

/// A place in a script.
pub(super) struct Cursor<'a> {
    /// Lists being walked, the innermost last.
    stack: Vec<Frame<'a>>,
    /// Actions looked at but not yet taken.
    ahead: VecDeque<&'a Action>,
}

struct Frame<'a> {
    actions: &'a [Action],
    next: usize,
    /// Rounds left, this one included.
    rounds: u32,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(script: &'a Script) -> Self {
        Self { stack: vec![Frame { actions: &script.0, next: 0, rounds: 1 }], ahead: VecDeque::new() }
    }

    /// Takes the next action; never a [`Action::Repeat`].
    pub(super) fn take(&mut self) -> Option<&'a Action> {
        self.ahead.pop_front().or_else(|| self.walk())
    }

    /// Looks at the next action.
    pub(super) fn peek(&mut self) -> Option<&'a Action> {
        if self.ahead.is_empty() {
            let next = self.walk()?;
            self.ahead.push_back(next);
        }
        self.ahead.front().copied()
    }

    fn walk(&mut self) -> Option<&'a Action> {
        loop {
            let frame = self.stack.last_mut()?;
            match frame.actions.get(frame.next) {
                Some(Action::Repeat { times, script }) => {
                    frame.next += 1;
                    if *times > 0 && !script.0.is_empty() {
                        self.stack.push(Frame { actions: &script.0, next: 0, rounds: *times });
                    }
                }
                Some(action) => {
                    frame.next += 1;
                    return Some(action);
                }
                None if frame.rounds > 1 => {
                    frame.rounds -= 1;
                    frame.next = 0;
                }
                None => {
                    self.stack.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Action::{Close, Echo, Repeat, Stall};
    use super::*;

    fn walked(actions: Vec<Action>) -> Vec<Action> {
        let script = Script(actions);
        let mut cursor = Cursor::new(&script);
        let mut out = Vec::new();
        while let Some(action) = cursor.take() {
            out.push(action.clone());
        }
        out
    }

    #[test]
    fn repetitions_nest() {
        let inner = Repeat { times: 2, script: Script(vec![Echo]) };
        let outer = Repeat { times: 2, script: Script(vec![inner, Stall]) };
        assert_eq!(walked(vec![outer, Close]), [Echo, Echo, Stall, Echo, Echo, Stall, Close]);
    }

    #[test]
    fn repeating_nothing_ends() {
        let empty = Repeat { times: u32::MAX, script: Script::default() };
        let never = Repeat { times: 0, script: Script(vec![Echo]) };
        let hollow = Repeat { times: 3, script: Script(vec![empty.clone()]) };
        assert_eq!(walked(vec![empty, never, hollow, Close]), [Close]);
    }

    #[test]
    fn looking_does_not_take() {
        let script = Script(vec![Echo, Close]);
        let mut cursor = Cursor::new(&script);
        assert_eq!(cursor.peek(), Some(&Echo));
        assert_eq!(cursor.take(), Some(&Echo));
        assert_eq!(cursor.take(), Some(&Close));
        assert_eq!(cursor.peek(), None);
    }
}
