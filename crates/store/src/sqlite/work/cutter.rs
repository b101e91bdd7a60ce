//! Where a run is cut into chunks: a pure decision over keys that come in order.

use std::ops::ControlFlow;

use super::chunk::{Piece, RangeKey};

/// Cuts a run of keys into pieces. A cut falls between two accounts wherever it can. An account with more documents than a
/// piece holds is cut inside; its later pieces follow one another, and the last of them ends with the account. A piece that
/// ends with an account holds whatever comes to that account before the piece is read, so that no other piece does.
pub(crate) struct Cutter {
    pieces_max: usize,
    documents_max: u32,
    pieces: Vec<Piece>,
    /// Where the piece that is being filled begins, and whether that is inside an account.
    start: RangeKey,
    inside: bool,
    /// Documents since the start, and the last of them.
    count: u32,
    last: RangeKey,
    /// The last account that ended since the start, with the documents up to its end.
    edge: Option<(Vec<u8>, u32)>,
}

/// What a cutter has cut, and where the next one starts.
pub(crate) struct Cut {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) start: RangeKey,
    pub(crate) inside: bool,
    /// Whether everything that was pushed is in a piece.
    pub(crate) is_whole: bool,
}

impl Cutter {
    /// Starts after a key, perhaps inside that key's account.
    pub(crate) fn new(start: RangeKey, inside: bool, pieces_max: usize, documents_max: usize) -> Self {
        Self {
            pieces_max: pieces_max.max(1),
            documents_max: u32::try_from(documents_max).unwrap_or(u32::MAX).max(1),
            pieces: Vec::new(),
            last: start.clone(),
            start,
            inside,
            count: 0,
            edge: None,
        }
    }

    /// Takes the next key; breaks when there are enough pieces, with the key left for the next cutter.
    pub(crate) fn push(&mut self, key: RangeKey) -> ControlFlow<()> {
        let is_new_account = key.account != self.last.account;
        if is_new_account && self.count > 0 {
            if self.inside {
                self.cut_at_last(false);
            } else {
                self.edge = Some((self.last.account.clone(), self.count));
            }
        } else if is_new_account {
            self.inside = false;
        }
        if self.count >= self.documents_max {
            match self.edge.take() {
                Some((account, count)) => self.cut_at(account, count),
                None => self.cut_at_last(!is_new_account),
            }
        }
        if self.pieces.len() >= self.pieces_max {
            return ControlFlow::Break(());
        }
        self.count += 1;
        self.last = key;
        ControlFlow::Continue(())
    }

    /// Makes a last piece of what is left, if there is room for it.
    pub(crate) fn finish(mut self) -> Cut {
        if self.count > 0 && self.pieces.len() < self.pieces_max {
            self.cut_at_last(false);
        }
        Cut { is_whole: self.count == 0, pieces: self.pieces, start: self.start, inside: self.inside }
    }

    /// Stops with what is in pieces already.
    pub(crate) fn stop(self) -> Cut {
        Cut { is_whole: false, pieces: self.pieces, start: self.start, inside: self.inside }
    }

    /// Cuts at an end of an account; the documents after it stay for the next piece.
    fn cut_at(&mut self, account: Vec<u8>, count: u32) {
        self.push_piece(RangeKey::end_of(account), count);
        self.inside = false;
        self.count -= count;
    }

    /// Cuts after the last document.
    fn cut_at_last(&mut self, is_inside: bool) {
        let upto = if is_inside { self.last.clone() } else { RangeKey::end_of(self.last.account.clone()) };
        self.push_piece(upto, self.count);
        self.inside = is_inside;
        self.count = 0;
        self.edge = None;
    }

    fn push_piece(&mut self, upto: RangeKey, documents: u32) {
        let after = std::mem::replace(&mut self.start, upto.clone());
        self.pieces.push(Piece { after, upto, documents, follows: self.inside });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(account: u8, ordinal: u32) -> RangeKey {
        RangeKey {
            account: vec![account],
            due_date: String::new(),
            number: format!("{ordinal:04}"),
            id: Vec::new(),
            position: -1,
        }
    }

    fn origin() -> RangeKey {
        RangeKey {
            account: Vec::new(),
            due_date: String::new(),
            number: String::new(),
            id: Vec::new(),
            position: -1,
        }
    }

    /// Cuts accounts of these sizes, a few pieces at a time, and gives (documents, follows) per piece.
    fn cut(sizes: &[u32], pieces_max: usize, documents_max: usize) -> Vec<(u32, bool)> {
        let keys: Vec<RangeKey> = (1_u8..)
            .zip(sizes)
            .flat_map(|(account, size)| (0..*size).map(move |ordinal| key(account, ordinal)))
            .collect();
        let (mut start, mut inside, mut pieces) = (origin(), false, Vec::new());
        loop {
            let mut cutter = Cutter::new(start.clone(), inside, pieces_max, documents_max);
            let mut stopped = false;
            for key in keys.iter().filter(|key| **key > start) {
                if cutter.push(key.clone()).is_break() {
                    stopped = true;
                    break;
                }
            }
            let cut = if stopped { cutter.stop() } else { cutter.finish() };
            pieces.extend(cut.pieces);
            if cut.is_whole {
                break;
            }
            (start, inside) = (cut.start, cut.inside);
        }
        for pair in pieces.windows(2) {
            assert_eq!(pair[0].upto, pair[1].after, "the pieces touch");
        }
        for piece in &pieces {
            let count = keys.iter().filter(|key| **key > piece.after && **key <= piece.upto).count();
            assert_eq!(u32::try_from(count), Ok(piece.documents), "the count is that of the range");
        }
        assert_eq!(pieces.iter().map(|piece| piece.documents).sum::<u32>(), sizes.iter().sum::<u32>());
        pieces.into_iter().map(|piece| (piece.documents, piece.follows)).collect()
    }

    #[test]
    fn cuts_between_accounts() {
        assert_eq!(cut(&[3, 3, 3, 3], 10, 7), [(6, false), (6, false)]);
        assert_eq!(cut(&[7, 7], 10, 7), [(7, false), (7, false)]);
        assert_eq!(cut(&[], 10, 7), []);
    }

    #[test]
    fn cuts_a_large_account_inside() {
        let expected = [(2, false), (4, false), (4, true), (2, true), (3, false)];
        assert_eq!(cut(&[2, 10, 3], 10, 4), expected);
    }

    #[test]
    fn what_comes_to_an_account_later_is_in_the_piece_that_ends_with_it() {
        let mut cutter = Cutter::new(origin(), false, 10, 3);
        for (account, ordinal) in [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (3, 3)] {
            assert!(cutter.push(key(account, ordinal)).is_continue());
        }
        let pieces = cutter.finish().pieces;
        for (account, owner) in [(1, 0), (2, 1), (3, 3)] {
            let late = key(account, 9);
            let owners: Vec<usize> =
                (0..pieces.len()).filter(|&at| late > pieces[at].after && late <= pieces[at].upto).collect();
            assert_eq!(owners, [owner], "account {account}");
        }
    }

    #[test]
    fn gives_the_same_pieces_however_often_it_is_restarted() {
        for sizes in [&[2, 10, 3][..], &[4, 4, 4], &[1, 1, 1, 9, 1], &[8], &[1; 20]] {
            for documents_max in 1..6 {
                let whole = cut(sizes, 1_000, documents_max);
                for pieces_max in 1..4 {
                    assert_eq!(
                        cut(sizes, pieces_max, documents_max),
                        whole,
                        "{sizes:?} {pieces_max} {documents_max}"
                    );
                }
                assert!(whole.iter().all(|(count, _)| *count as usize <= documents_max));
            }
        }
    }
}
