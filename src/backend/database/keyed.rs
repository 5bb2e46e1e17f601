//! Values by the keys of rows, in the order of those: a list that is sorted once and searched often. It
//! borrows its keys.

/// Values by a key and what else tells rows apart.
#[derive(Debug)]
pub(super) struct Keyed<'p, N, V>(Vec<((&'p str, N), V)>);

impl<N, V> Default for Keyed<'_, N, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'p, N: Ord + Copy, V: Default> Keyed<'p, N, V> {
    /// A value for each of these keys.
    pub(super) fn of(keys: impl Iterator<Item = (&'p str, N)>) -> Self {
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        Self(keys.into_iter().map(|key| (key, V::default())).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (&'p str, N)> {
        self.0.iter().map(|(key, _)| *key)
    }

    pub(super) fn get(&self, key: &str, number: N) -> Option<&V> {
        let index = self.find(key, number).ok()?;
        self.0.get(index).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: &str, number: N) -> Option<&mut V> {
        let index = self.find(key, number).ok()?;
        self.0.get_mut(index).map(|(_, value)| value)
    }

    /// The value of a key, which is added if it is not there.
    pub(super) fn entry(&mut self, key: &'p str, number: N) -> &mut V {
        let index = self.find(key, number).unwrap_or_else(|index| {
            self.0.insert(index, ((key, number), V::default()));
            index
        });
        &mut self.0[index].1
    }

    fn find(&self, key: &str, number: N) -> Result<usize, usize> {
        self.0.binary_search_by(|((other, of), _)| (*other, *of).cmp(&(key, number)))
    }
}

impl<'p, N, V> IntoIterator for Keyed<'p, N, V> {
    type Item = ((&'p str, N), V);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::Keyed;

    #[test]
    fn every_key_is_there_once_in_order_also_one_that_comes_later() {
        let mut keyed = Keyed::<i64, u8>::of([("b", 2), ("a", 7), ("b", -1), ("a", 7)].into_iter());
        *keyed.entry("b", 0) += 1;
        *keyed.entry("a", 7) += 2;
        assert_eq!(keyed.get("b", 2), Some(&0));
        assert_eq!(keyed.get_mut("a", 8), None);
        let all: Vec<_> = keyed.into_iter().collect();
        assert_eq!(all, [(("a", 7), 2), (("b", -1), 0), (("b", 0), 1), (("b", 2), 0)]);
    }
}
