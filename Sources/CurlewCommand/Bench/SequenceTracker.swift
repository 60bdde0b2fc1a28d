#if Tools
/// Tells by the sequence numbers of many senders what was lost and what came out of order.
struct SequenceTracker {
    private struct Sender {
        let id: UInt32
        /// The first that came: whoever subscribes late has lost nothing.
        var first: UInt64
        /// The one after the highest that came.
        var next: UInt64
        var received: UInt64 = 1
    }

    private var senders: [Sender] = []
    private var places: [UInt32: Int] = [:]
    /// Whose message came last: mostly it is also the next one's.
    private var latest = 0

    /// How many came after one that was sent later.
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

    /// How many are missing between the first and the last that came of each sender. One that came twice stands for none.
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
