/// Whether those who publish to a client must wait, because more messages at QoS 1 and 2 wait for it than it acknowledges.
///
/// Publishers wait from a quarter of the queue on, long before a message has to be dropped, and only while the client makes *progress*: within the
/// last ``patience`` it has acknowledged, or taken, a part of what its queue can hold. A client that makes none delays nobody, and its queue's policy
/// applies. A client that has not shown any yet is trusted for the ``grace`` after its messages have begun to wait.
///
/// As long as the session.
package struct Backpressure: Sendable {
    /// A number of messages, and how many bytes these are.
    package struct Load: Equatable, Sendable {
        package var messages: Int
        package var bytes: Int

        package init(messages: Int = 0, bytes: Int = 0) {
            self.messages = messages
            self.bytes = bytes
        }

        /// Whether one of both is as great as in `other`.
        fileprivate func reaches(_ other: Load) -> Bool {
            self.messages >= other.messages || self.bytes >= other.bytes
        }

        fileprivate func part(_ divisor: Int) -> Load {
            Load(messages: max(1, self.messages / divisor), bytes: max(1, self.bytes / divisor))
        }

        /// Not more than that much of either.
        fileprivate func limited(to most: Load) -> Load {
            Load(messages: min(self.messages, most.messages), bytes: min(self.bytes, most.bytes))
        }
    }

    /// How long a client may take for its part of progress; zero to never let a publisher wait.
    private let patience: Duration
    /// When the client last had acknowledged its part; `nil` until it has done so for the first time on this connection.
    private var progressed: Timestamp?
    /// When the first of the messages that wait came; `nil` while none waits.
    private var began: Timestamp?
    /// What the client has acknowledged since ``progressed``.
    private var taken = Load()
    /// Below this, publishers go on; `nil` while none waits.
    private var mark: Load?

    /// How long a client is trusted that has not acknowledged anything since its messages wait.
    package static let grace = Duration.milliseconds(100)
    /// Publishers wait from this part of the queue on.
    private static let holdPart = 4
    /// Within the patience, a client has to take this part of what its queue can hold, or as much as this of one without a bound.
    private static let progressPart = 128
    private static let mostProgress = Load(messages: 100, bytes: 512 << 10)

    package init(patience: Duration) { self.patience = patience }

    /// A connection begins: what an earlier one has acknowledged says nothing about it.
    package mutating func connected() {
        self.progressed = nil
        self.began = nil
        self.taken = Load()
    }

    /// A message at QoS 1 or 2 has been put into the queue, or was refused because the queue is full.
    ///
    /// - Parameters:
    ///   - backlog: What waits at QoS 1 and 2, with that message.
    ///   - capacity: What the queue can hold.
    /// - Returns: Until when whoever has published it must wait, if the client does not acknowledge enough before; `nil` if it need not wait.
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

    /// The client has acknowledged that much, or its connection has taken it out of the queue.
    package mutating func took(_ load: Load, capacity: Load, now: Timestamp) {
        self.taken.messages += load.messages
        self.taken.bytes += load.bytes
        guard self.taken.reaches(capacity.part(Self.progressPart).limited(to: Self.mostProgress)) else { return }
        self.taken = Load()
        self.progressed = now
    }

    /// Less waits than before.
    ///
    /// - Returns: How many publishers may go on; each of them may add a message before it has to wait again.
    package mutating func drained(to backlog: Load) -> Int {
        if backlog.messages == 0 { self.began = nil }
        guard let mark, backlog.messages == 0 || !backlog.reaches(mark) else { return 0 }
        // Their messages are taken to be as large as those that wait.
        let size = max(1, backlog.bytes / max(1, backlog.messages))
        return max(1, min(mark.messages - backlog.messages, (mark.bytes - backlog.bytes) / size))
    }

    /// Nobody waits any more.
    package mutating func released() { self.mark = nil }
}
