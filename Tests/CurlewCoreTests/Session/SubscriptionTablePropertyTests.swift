import Testing

@testable import CurlewCore

@Suite("Random subscribing and unsubscribing")
struct SubscriptionTablePropertyTests {
    private static let filters = ["a", "a/b", "a/+", "+/b", "#", "a/#", "$share/g/a/b", "$share/h/#"]
    private static let topics = ["a", "a/b", "b/b", "a/c", "x", "a/b/c"].map { TopicName(unchecked: $0) }

    /// The table, the state of a server, and the filters that each subscriber should have.
    private struct Run {
        var random: SplitMix64
        var table = SubscriptionTable()
        var server: [TopicFilter: UInt32] = [:]
        var pending: [SubscriptionTable.Update] = []
        var wanted: [SubscriberID: Set<TopicFilter>] = [:]
        var waiting: [RequestID: (subscriber: SubscriberID, filter: TopicFilter?)] = [:]
        var completions: [Completion] = []
        var lost: [LostSubscription] = []
        var requests: UInt64 = 0

        init(seed: UInt64) { self.random = SplitMix64(seed: seed) }

        mutating func makeRequest() -> RequestID {
            self.requests += 1
            return RequestID(self.requests)
        }

        mutating func subscribe() throws {
            let subscriber = SubscriberID(.random(in: 1...6, using: &self.random))
            let filter = topicFilter(self.random.pick(SubscriptionTablePropertyTests.filters))
            let request = self.makeRequest()
            self.waiting[request] = (subscriber, filter)
            self.wanted[subscriber, default: []].insert(filter)
            let options = SubscriptionOptions(qos: self.random.pick([.atMostOnce, .atLeastOnce, .exactlyOnce]))
            try self.table.subscribe(filter, options, subscriber: subscriber, request: request, &self.completions)
        }

        mutating func unsubscribe() {
            let subscriber = SubscriberID(.random(in: 1...6, using: &self.random))
            let request = self.makeRequest()
            self.waiting[request] = (subscriber, nil)
            self.wanted[subscriber] = nil
            self.table.unsubscribe(subscriber, request: request, &self.completions)
        }

        mutating func send() {
            if let exchange = self.table.nextUpdate() { self.pending.append(exchange) }
        }

        /// Makes the server answer one exchange.
        mutating func answer(mayRefuse: Bool) {
            guard let index = self.pending.indices.randomElement(using: &self.random) else { return }
            switch self.pending.remove(at: index) {
            case .subscribe(let identifier, let subscriptionIdentifier, let filter, _):
                let isRefused = mayRefuse && Int.random(in: 0..<4, using: &self.random) == 0
                if !isRefused { self.server[filter] = subscriptionIdentifier }
                let outcome = Completion.Outcome.subscribed(isRefused ? .notAuthorized : .success, reason: nil)
                self.table.subscribed(identifier, outcome, &self.completions, &self.lost)
                self.collect()
                for lost in self.lost {
                    for subscriber in lost.subscribers { self.wanted[subscriber]?.remove(filter) }
                }
                self.lost = []
            case .unsubscribe(let identifier, let filter):
                self.server[filter] = nil
                self.table.unsubscribed(identifier, .success, &self.completions)
            }
        }

        mutating func loseConnection(keepingSession: Bool) {
            let identifiers = self.pending.map { exchange in
                // What was being sent may or may not have arrived.
                let hasArrived = Bool.random(using: &self.random)
                switch exchange {
                case .subscribe(let identifier, let subscriptionIdentifier, let filter, _):
                    if hasArrived { self.server[filter] = subscriptionIdentifier }
                    return identifier
                case .unsubscribe(let identifier, let filter):
                    if hasArrived { self.server[filter] = nil }
                    return identifier
                }
            }
            self.pending = []
            self.table.connectionLost(pending: identifiers, &self.completions)
            if !keepingSession {
                self.server = [:]
                self.table.sessionLost(&self.completions)
            }
        }

        mutating func collect() {
            for completion in self.completions {
                guard let (subscriber, filter) = self.waiting.removeValue(forKey: completion.request) else {
                    Issue.record("\(completion) comes unexpected")
                    continue
                }
                guard case .subscribed(let code, _) = completion.outcome, code.isFailure, let filter else { continue }
                let isPending = self.waiting.values.contains { $0.subscriber == subscriber && $0.filter == filter }
                if !isPending { self.wanted[subscriber]?.remove(filter) }
            }
            self.completions = []
        }

        mutating func step() throws {
            switch Int.random(in: 0..<40, using: &self.random) {
            case 0..<10: try self.subscribe()
            case 10..<14: self.unsubscribe()
            case 14..<26: self.send()
            case 26..<38: self.answer(mayRefuse: true)
            case 38: self.loseConnection(keepingSession: true)
            default: self.loseConnection(keepingSession: false)
            }
            self.collect()
        }

        mutating func settle() {
            repeat {
                self.send()
                self.answer(mayRefuse: false)
                self.collect()
            } while self.table.needsUpdate || !self.pending.isEmpty
        }

        /// Compares the table with a simple calculation.
        mutating func check() {
            let all = Set(self.wanted.values.joined())
            #expect(Set(self.server.keys) == all)
            #expect(self.table.count == all.count)
            #expect(self.waiting.isEmpty)
            for topic in SubscriptionTablePropertyTests.topics {
                let expected = Set(self.wanted.filter { $0.value.contains { $0.matches(topic) } }.keys)
                let route = self.table.route(topic, [], retain: false)
                #expect(Set(route) == expected && route.count == expected.count)
                // One copy for each filter that is not shared: each subscriber gets at least one of them, and exactly
                // one once the server is known to send copies.
                let plain = self.server.filter { $0.key.shareName == nil && $0.key.matches(topic) }
                let entitled = self.wanted.filter { $0.value.contains { plain[$0] != nil } }
                for round in 1...2 {
                    let copies = plain.values.sorted().flatMap { self.table.route(topic, [$0], retain: false) }
                    #expect(Set(copies) == Set(entitled.keys))
                    if round == 2 { #expect(copies.count == entitled.count) }
                }
                // One copy for all filters.
                let matching = self.server.filter { $0.key.matches(topic) }.values.sorted()
                if matching.count > 1 { #expect(Set(self.table.route(topic, matching, retain: false)) == expected) }
            }
        }
    }

    @Test("The table agrees with a simple calculation, whatever is lost or refused", arguments: 0..<40 as Range<UInt64>)
    func model(seed: UInt64) throws {
        var run = Run(seed: seed)
        for round in 0..<30 {
            for _ in 0..<(round + 5) { try run.step() }
            run.settle()
            run.check()
        }
        for _ in 0..<20 { try run.step() }
        run.table.end(&run.completions)
        run.collect()
        #expect(run.waiting.isEmpty && run.table.count == 0 && !run.table.needsUpdate)
    }
}
