/// Whether publishers to a client must wait, because messages at QoS 1 and 2 are queued faster than the client
/// acknowledges them.
///
/// Publishers wait from a quarter of the queue on, long before a message has to be dropped, and only while the client
/// makes *progress*: within the last ``patience`` it has acknowledged, or accepted, a certain part of its queue's
/// capacity. A client that makes none delays nobody, and the policy of its queue applies. A client that has not yet had
/// the time for it is trusted for the ``grace`` after its first message was queued.
///
/// Lives as long as the session.
package struct Backpressure: Sendable {
    /// A number of messages and their size in bytes.
    package struct Load: Equatable, Sendable {
        package var messages: Int
        package var bytes: Int

        package init(messages: Int = 0, bytes: Int = 0) {
            self.messages = messages
            self.bytes = bytes
        }

        /// Whether messages or bytes reach those of `other`.
        fileprivate func reaches(_ other: Load) -> Bool {
            self.messages >= other.messages || self.bytes >= other.bytes
        }

        fileprivate func part(_ divisor: Int) -> Load {
            Load(messages: max(1, self.messages / divisor), bytes: max(1, self.bytes / divisor))
        }

        /// Both limited to those of `most`.
        fileprivate func limited(to most: Load) -> Load {
            Load(messages: min(self.messages, most.messages), bytes: min(self.bytes, most.bytes))
        }
    }

    /// How long a client may take for its part of progress; zero to never hold a publisher.
    private let patience: Duration
    /// When the client last completed its part; `nil` until its first time on this connection.
    private var progressed: Timestamp?
    /// When the first queued message arrived; `nil` while none is queued.
    private var began: Timestamp?
    /// What the client has acknowledged since `progressed`.
    private var taken = Load()
    /// Below this load, publishers continue; `nil` while none waits.
    private var mark: Load?

    /// How long a client without an acknowledgement is trusted after its first message was queued.
    package static let grace = Duration.milliseconds(100)
    /// Publishers wait from this part of the queue on.
    private static let holdPart = 4
    /// Within the patience, a client has to accept this part of its queue's capacity, but no more than `mostProgress`.
    private static let progressPart = 128
    private static let mostProgress = Load(messages: 100, bytes: 512 << 10)

    package init(patience: Duration) { self.patience = patience }

    /// A connection begins. Acknowledgements on an earlier one say nothing about it.
    package mutating func connected() {
        self.progressed = nil
        self.began = nil
        self.taken = Load()
    }

    /// A message at QoS 1 or 2 was queued, or refused because the queue is full.
    ///
    /// - Parameters:
    ///   - backlog: The queued messages at QoS 1 and 2, with this one.
    ///   - capacity: The capacity of the queue.
    /// - Returns: Until when the publisher must wait, if the client does not acknowledge enough before; `nil` if it
    ///   need not wait.
    package mutating func queued(_ backlog: Load, capacity: Load, now: Timestamp) -> Timestamp? {
        let began = self.began ?? now
        self.began = began
        let high = capacity.part(Self.holdPart)
        guard self.patience > .zero, backlog.reaches(high) else { return nil }
        let trusted = began + min(Self.grace, self.patience)
        let until = max(trusted, self.progressed.map { $0 + self.patience } ?? trusted)
        guard now < until else { return nil }
        self.mark = Load(messages: high.messages - high.messages / 4, bytes: high.bytes - high.bytes / 4)
        return until
    }

    /// The client has acknowledged this load, or its connection has taken it from the queue.
    package mutating func took(_ load: Load, capacity: Load, now: Timestamp) {
        self.taken.messages += load.messages
        self.taken.bytes += load.bytes
        guard self.taken.reaches(capacity.part(Self.progressPart).limited(to: Self.mostProgress)) else { return }
        self.taken = Load()
        self.progressed = now
    }

    /// The backlog has shrunk.
    ///
    /// - Returns: How many publishers may continue; each may add a message before it has to wait again.
    package mutating func drained(to backlog: Load) -> Int {
        if backlog.messages == 0 { self.began = nil }
        guard let mark, backlog.messages == 0 || !backlog.reaches(mark) else { return 0 }
        // Assumes that their messages are as large as the queued ones.
        let size = max(1, backlog.bytes / max(1, backlog.messages))
        return max(1, min(mark.messages - backlog.messages, (mark.bytes - backlog.bytes) / size))
    }

    /// No publisher waits any more.
    package mutating func released() { self.mark = nil }
}
