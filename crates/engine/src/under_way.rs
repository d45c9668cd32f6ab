//! Which commands this process is carrying out.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kasparro_domain::CommandId;

/// The numbers of commands under way, shared by those who carry them out.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<BTreeSet<CommandId>>>);

/// A command under way until this is dropped.
#[derive(Debug)]
pub(crate) struct Begun {
    under_way: UnderWay,
    number: CommandId,
}

impl UnderWay {
    fn set(&self) -> MutexGuard<'_, BTreeSet<CommandId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Their numbers.
    pub(crate) fn numbers(&self) -> Vec<CommandId> {
        self.set().iter().copied().collect()
    }

    /// Notes a command.
    pub(crate) fn begin(&self, number: CommandId) -> Begun {
        self.set().insert(number);
        Begun { under_way: self.clone(), number }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.under_way.set().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_under_way_until_it_is_let_go() {
        let under_way = UnderWay::default();
        let (one, two) = (under_way.begin(CommandId(1)), under_way.begin(CommandId(2)));
        assert_eq!(under_way.numbers(), [CommandId(1), CommandId(2)]);
        drop(one);
        assert_eq!(under_way.numbers(), [CommandId(2)]);
        drop(two);
        assert_eq!(under_way.numbers(), []);
    }
}
