import CurlewCore
import DequeModule
import HeapModule

extension MessageQueue {
    /// Messages in the order of their priority; among equals, in the order of arrival.
    ///
    /// Holds one deque for each priority in use, and a heap of these priorities. The deques keep the order of arrival
    /// without sequence numbers, and give access to the oldest and the newest message of each priority.
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

        /// Removes and returns the oldest message of the highest priority.
        mutating func popHighest() -> MQTTMessage? {
            guard let priority = self.priorities.max, let message = self.lines[priority]?.popFirst() else { return nil }
            self.count -= 1
            if self.lines[priority]?.isEmpty == true {
                self.lines[priority] = nil
                self.priorities.removeMax()
            }
            return message
        }

        /// Removes and returns the oldest or newest message of the lowest priority. `wasNewest` says whether it was the
        /// newest (or only) one of that priority.
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

    /// The position in a deque of each topic's message, while messages leave at both ends.
    ///
    /// Each message has a number that does not change when earlier messages leave.
    struct TopicPlaces: Sendable {
        private var numbers: [TopicName: Int] = [:]
        /// The number of the first message in the deque.
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
