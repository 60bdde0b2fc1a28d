/// Assigns topic aliases to outgoing PUBLISH packets (MQTT 5.0 section 3.3.2.3.4). Lives as long as the connection.
///
/// Aliases go to topics that are used repeatedly: a topic gets one with its second use, and replaces another topic
/// only if it has been used more often recently. So a scan over any number of topics, each used once, takes no
/// alias from a topic in use. Each publish costs O(1); the memory is proportional to the maximum; a topic that has
/// its alias allocates nothing.
package struct OutgoingTopicAliases: Sendable {
    /// How to name the topic in the packet.
    package enum Alias: Hashable, Sendable {
        /// By topic, without an alias.
        case none
        /// By topic and alias: the receiver stores the pair.
        case introduce(UInt16)
        /// By alias, without the topic: the receiver has stored the pair.
        case use(UInt16)
    }

    /// A topic with an alias. The alias is its index in `holders` plus 1, because 0 is not an alias [MQTT-3.3.2-8].
    private struct Holder {
        var topic: TopicName
        var uses: UInt8
    }

    /// A recently used topic without an alias, identified only by part of its hash.
    private struct Candidate {
        var fingerprint: UInt16 = 0
        var uses: UInt8 = 0
    }

    /// The highest alias that the receiver accepts; 0 if none [MQTT-3.2.2-18].
    package private(set) var maximum: UInt16

    private var aliases: [TopicName: UInt16] = [:]
    private var holders: [Holder] = []
    /// The index in `holders` to examine next for replacement.
    private var hand = 0
    /// Aliases that were withdrawn and are free.
    private var withdrawn: [UInt16] = []
    /// Sets of `ways` candidates; their number is a power of two. A topic's hash determines its set; topics of one
    /// set displace each other.
    private var candidates: [Candidate] = []

    /// An alias takes three bytes in the packet, so a topic must be longer.
    private static let shortestTopic = 4
    private static let ways = 4
    /// High enough to distinguish busy topics from quiet ones, low enough for an idle topic to be replaced soon.
    private static let mostUses: UInt8 = 15

    /// - Parameter maximum: The Topic Alias Maximum of the receiver, or less to bound the memory.
    package init(maximum: UInt16 = 0) { self.maximum = maximum }

    /// The approximate size of the topics in bytes.
    package var byteCount: Int { self.holders.reduce(0) { $0 + $1.topic.string.utf8.count + 64 } }

    /// Forgets all aliases, since none outlives its connection [MQTT-3.3.2-7].
    package mutating func reset(maximum: UInt16) { self = Self(maximum: maximum) }

    /// Decides how to name the topic of the next PUBLISH on this connection.
    ///
    /// Call it once for each packet, in the order of sending. If the packet is not sent, call ``withdraw(_:)`` with
    /// an alias that it was to introduce.
    package mutating func assign(_ topic: TopicName) -> Alias {
        guard self.maximum > 0, topic.string.utf8.count >= Self.shortestTopic else { return .none }
        if let alias = self.aliases[topic] {
            let index = Int(alias) - 1
            if self.holders[index].uses < Self.mostUses { self.holders[index].uses += 1 }
            return .use(alias)
        }
        let (place, uses) = self.countUse(of: topic)
        guard uses > 1 else { return .none }
        let holder = Holder(topic: topic, uses: uses)
        if let alias = self.withdrawn.popLast() {
            self.holders[Int(alias) - 1] = holder
            return self.introduce(alias, for: topic, place)
        }
        if self.holders.count < Int(self.maximum) {
            self.holders.append(holder)
            return self.introduce(UInt16(self.holders.count), for: topic, place)
        }
        let index = self.hand
        self.hand = (index + 1) % self.holders.count
        guard self.holders[index].uses < uses else {
            // It stays, but must be used again to be as safe at the next examination.
            self.holders[index].uses -= 1
            return .none
        }
        self.aliases[self.holders[index].topic] = nil
        self.holders[index] = holder
        return self.introduce(UInt16(index + 1), for: topic, place)
    }

    /// Withdraws an alias whose introduction was not sent.
    package mutating func withdraw(_ alias: UInt16) {
        guard alias > 0, Int(alias) <= self.holders.count else { return }
        let topic = self.holders[Int(alias) - 1].topic
        guard self.aliases[topic] == alias else { return }
        self.aliases[topic] = nil
        self.holders[Int(alias) - 1].uses = 0
        self.withdrawn.append(alias)
    }

    private mutating func introduce(_ alias: UInt16, for topic: TopicName, _ place: Int) -> Alias {
        self.aliases[topic] = alias
        self.candidates[place] = Candidate()
        return .introduce(alias)
    }

    /// Counts a use of a topic without an alias; returns 1 for a topic that was not used recently.
    private mutating func countUse(of topic: TopicName) -> (place: Int, uses: UInt8) {
        if self.candidates.isEmpty {
            let places = max(64, Int(self.maximum) * 4)
            self.candidates = Array(
                repeating: Candidate(), count: 1 << (Int.bitWidth - (places - 1).leadingZeroBitCount))
        }
        let hash = Self.hash(of: topic)
        let fingerprint = UInt16(truncatingIfNeeded: hash >> 48)
        let set = Int(truncatingIfNeeded: hash & UInt64(self.candidates.count / Self.ways - 1)) * Self.ways
        var weakest = set
        for place in set..<(set + Self.ways) {
            if self.candidates[place].fingerprint == fingerprint, self.candidates[place].uses > 0 {
                self.candidates[place].uses = min(self.candidates[place].uses + 1, Self.mostUses)
                return (place, self.candidates[place].uses)
            }
            if self.candidates[place].uses < self.candidates[weakest].uses { weakest = place }
        }
        // A new topic weakens the weakest of its set, and replaces it when that is no stronger than itself.
        if self.candidates[weakest].uses > 1 {
            self.candidates[weakest].uses -= 1
        } else {
            self.candidates[weakest] = Candidate(fingerprint: fingerprint, uses: 1)
        }
        return (weakest, 1)
    }

    /// FNV-1a with a final mixing step: the same in every process, and good enough, since a collision only costs a
    /// few bytes on the wire.
    private static func hash(of topic: TopicName) -> UInt64 {
        topic.string.withUTF8Bytes { bytes in
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
            hash = (hash ^ (hash >> 32)) &* 0x9E37_79B9_7F4A_7C15
            return hash ^ (hash >> 29)
        }
    }
}
