import CurlewCore
import DequeModule
import HeapModule

extension MessageQueue {
    /// Messages in the order of their priority and, among equals, of their arrival.
    ///
    /// One line of messages for each priority that is in use, and a heap of these priorities, which gives the highest and the
    /// lowest: what is stable needs no number of arrival, and both ends of every line are at hand.
    struct PriorityBuckets: Sendable {
        private var lines: [Int: Deque<MQTTMessage>] = [:]
        private var priorities = Heap<Int>()
        private(set) var count = 0

        enum Age: Sendable {
            case oldest
            case newest
        }

        mutating func insert(_ message: MQTTMessage, priority: Int) {
            self.count += 1
            if self.lines[priority]?.append(message) == nil {
                self.lines[priority] = [message]
                self.priorities.insert(priority)
            }
        }

        /// The oldest message of the highest priority.
        mutating func popHighest() -> MQTTMessage? {
            guard let priority = self.priorities.max, let message = self.lines[priority]?.popFirst() else { return nil }
            self.count -= 1
            if self.lines[priority]?.isEmpty == true {
                self.lines[priority] = nil
                self.priorities.removeMax()
            }
            return message
        }

        /// The oldest or newest message of the lowest priority, and whether it was the newest (or only) one of that priority.
        mutating func removeLowest(_ age: Age) -> (message: MQTTMessage, priority: Int, wasNewest: Bool)? {
            guard let priority = self.priorities.min,
                let message = age == .oldest ? self.lines[priority]?.popFirst() : self.lines[priority]?.popLast()
            else { return nil }
            self.count -= 1
            let isLast = self.lines[priority]?.isEmpty == true
            if isLast {
                self.lines[priority] = nil
                self.priorities.removeMin()
            }
            return (message, priority, isLast || age == .newest)
        }
    }

    /// Where in a line the message of each topic stands, while messages leave at both ends.
    ///
    /// A message is known by a number that does not change when those before it leave.
    struct TopicPlaces: Sendable {
        private var numbers: [TopicName: Int] = [:]
        /// The number of the first message in the line.
        private var first = 0

        subscript(topic: TopicName) -> Int? { self.numbers[topic].map { $0 - self.first } }

        mutating func insert(_ topic: TopicName, at index: Int) { self.numbers[topic] = self.first + index }

        mutating func prepend(_ topic: TopicName) {
            self.first -= 1
            self.numbers[topic] = self.first
        }

        mutating func removeFirst(_ topic: TopicName) {
            self.numbers[topic] = nil
            self.first += 1
        }

        mutating func removeLast(_ topic: TopicName) { self.numbers[topic] = nil }

        mutating func removeAll() {
            self.numbers.removeAll(keepingCapacity: true)
            self.first = 0
        }
    }
}
