//! How much memory snapshots hold, and how much of it their successors share: about, without what the
//! allocator adds.

use std::sync::Arc;

use crate::block::Block;
use crate::chunk::Chunk;
use crate::index::Index;
use crate::render::Column;
use crate::rows::Rows;
use crate::{Row, Snapshot};

impl Snapshot {
    /// About so many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        let indexes = self.indexes.iter().map(|index| index.bytes());
        self.rows.bytes() + indexes.sum::<usize>()
    }

    /// About so many bytes it holds that a successor, which was not built anew, does not.
    pub(crate) fn bytes_beyond(&self, next: &Self) -> usize {
        let pairs = self.indexes.iter().zip(&next.indexes);
        let copied = pairs.filter(|(own, next)| !Arc::ptr_eq(own, next));
        let indexes: usize = copied.map(|(_, next)| next.replaced_bytes).sum();
        self.rows.bytes_beyond(&next.rows) + indexes
    }
}

impl Rows {
    /// About so many bytes they hold.
    pub(crate) fn bytes(&self) -> usize {
        self.lists_bytes() + self.chunks().iter().map(|chunk| chunk.bytes()).sum::<usize>()
    }

    /// About so many bytes they hold that these rows, made from them, do not.
    pub(crate) fn bytes_beyond(&self, next: &Self) -> usize {
        let pairs = self.chunks().iter().zip(next.chunks());
        let copied = pairs.filter(|(own, next)| !Arc::ptr_eq(own, next));
        self.lists_bytes() + copied.map(|(own, next)| own.bytes_beyond(next)).sum::<usize>()
    }

    fn lists_bytes(&self) -> usize {
        self.chunks().len() * size_of::<(Arc<Chunk>, i64, u32)>()
    }
}

impl Chunk {
    /// About so many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        let texts = self.folded.bytes() + self.unpriced.bytes();
        self.lists_bytes() + texts + self.rows.iter().map(|row| row.bytes()).sum::<usize>()
    }

    /// About so many bytes it holds that this chunk, made from it, does not.
    pub(crate) fn bytes_beyond(&self, next: &Self) -> usize {
        let texts = [(&self.folded, &next.folded), (&self.unpriced, &next.unpriced)];
        let texts = texts.into_iter().filter(|(own, next)| !Arc::ptr_eq(own, next));
        let rows = self.rows.iter().zip(&next.rows).filter(|(own, next)| !Arc::ptr_eq(own, next));
        self.lists_bytes()
            + texts.map(|(own, _)| own.bytes()).sum::<usize>()
            + rows.map(|(own, _)| own.bytes()).sum::<usize>()
    }

    fn lists_bytes(&self) -> usize {
        size_of::<Self>()
            + self.rows.capacity() * size_of::<Arc<Row>>()
            + self.columns.capacity() * size_of::<Column>()
    }
}

impl Row {
    /// About so many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }
}

impl Index {
    /// About so many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.lists_bytes() + self.blocks.iter().map(|block| block.bytes()).sum::<usize>()
    }

    pub(crate) fn lists_bytes(&self) -> usize {
        self.blocks.len() * size_of::<(Arc<Block>, u64, u32, u32)>()
    }
}

impl Block {
    /// About so many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.keys) + size_of_val(&*self.tags)
    }
}
