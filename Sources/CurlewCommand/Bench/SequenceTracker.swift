#if Tools
/// Counts lost and reordered messages by the sequence numbers of their senders.
struct SequenceTracker {
    private struct Sender {
        let id: UInt32
        /// The first number received: earlier messages were sent before the subscription and are not lost.
        var first: UInt64
        /// One more than the highest number received.
        var next: UInt64
        var received: UInt64 = 1
    }

    private var senders: [Sender] = []
    private var places: [UInt32: Int] = [:]
    /// The sender of the last message, which is usually also that of the next one.
    private var latest = 0

    /// The number of messages that arrived after a later one of the same sender.
    private(set) var reordered = 0

    mutating func received(_ sequence: UInt64, from sender: UInt32) {
        guard let place = self.place(of: sender) else {
            self.latest = self.senders.count
            self.places[sender] = self.latest
            self.senders.append(Sender(id: sender, first: sequence, next: sequence &+ 1))
            return
        }
        self.latest = place
        self.senders[place].received += 1
        if sequence >= self.senders[place].next {
            self.senders[place].next = sequence &+ 1
        } else {
            self.reordered += 1
            self.senders[place].first = min(self.senders[place].first, sequence)
        }
    }

    /// The number of messages missing between the first and the highest number of each sender. Duplicates do not
    /// compensate for losses.
    var lost: Int {
        self.senders.reduce(0) { lost, sender in
            let sent = sender.next &- sender.first
            return lost + (sent > sender.received ? Int(clamping: sent - sender.received) : 0)
        }
    }

    private func place(of sender: UInt32) -> Int? {
        if self.latest < self.senders.count, self.senders[self.latest].id == sender { return self.latest }
        return self.places[sender]
    }
}
#endif
