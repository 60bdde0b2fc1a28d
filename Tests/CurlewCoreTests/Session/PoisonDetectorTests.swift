import Testing

@testable import CurlewCore

@Suite("Poison detector")
struct PoisonDetectorTests {
    private typealias Item = PoisonDetector.Item

    private let bad = Item.publish(RequestID(1))
    private let good = Item.publish(RequestID(2))

    private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(elapsed: .milliseconds(milliseconds)) }

    /// Connects while everything is still unanswered. Returns whether the connection is a trial.
    private func connect(_ detector: inout PoisonDetector, at time: Int64) -> Bool {
        detector.connected(pending: Set((1...10).map { .publish(RequestID($0)) }), now: at(time))
    }

    /// Makes a connection at that time that breaks a millisecond later, with these items unanswered.
    private func breakOne(_ detector: inout PoisonDetector, _ items: [Item], from time: Int64) {
        _ = self.connect(&detector, at: time)
        detector.connectionBroken(unanswered: items, now: at(time + 1))
    }

    @Test("An item is given up after three broken connections and a trial without it")
    func verdict() {
        var detector = PoisonDetector()
        for time: Int64 in [0, 10, 20] { self.breakOne(&detector, [self.bad], from: time) }
        #expect(self.connect(&detector, at: 30) == true)
        #expect(!detector.maySend(self.bad) && detector.maySend(self.good))
        #expect(detector.deadline == at(1030))
        #expect(detector.ponged() == nil)
        #expect(detector.deadlineReached(now: at(1029)) == nil)
        #expect(detector.deadlineReached(now: at(1030)) == .init(item: self.bad, connections: 3))
        #expect(!detector.isActive)
    }

    @Test("A trial continues until the server has answered something")
    func silentTrial() {
        var detector = PoisonDetector()
        for time: Int64 in [0, 10, 20] { self.breakOne(&detector, [self.bad], from: time) }
        #expect(self.connect(&detector, at: 30) == true)
        #expect(detector.deadlineReached(now: at(1030)) == nil)
        #expect(detector.ponged() == .init(item: self.bad, connections: 3))
    }

    @Test("A trial lasts twice as long as the shortest of the broken connections")
    func longTrial() {
        var detector = PoisonDetector()
        for time: Int64 in [0, 10_000, 20_000] {
            _ = self.connect(&detector, at: time)
            detector.connectionBroken(unanswered: [self.bad], now: at(time + 3000 + time / 10))
        }
        #expect(self.connect(&detector, at: 40_000) == true)
        #expect(detector.deadline == at(46_000))
    }

    @Test("A trial lasts at most half a minute")
    func longestTrial() {
        var detector = PoisonDetector()
        for time: Int64 in [0, 30_000, 60_000] {
            _ = self.connect(&detector, at: time)
            detector.connectionBroken(unanswered: [self.bad], now: at(time + 29_000))
        }
        #expect(self.connect(&detector, at: 90_000) == true)
        #expect(detector.deadline == at(120_000))
    }

    @Test("Connections that break long after they began make nothing suspect")
    func oldConnections() {
        var detector = PoisonDetector()
        for hour: Int64 in 0..<20 {
            #expect(self.connect(&detector, at: hour * 3_600_000) == false)
            detector.connectionBroken(unanswered: [self.bad], now: at((hour + 1) * 3_600_000 - 1))
            #expect(!detector.isIsolating)
        }
        // The item is as suspect as after one broken connection.
        for time: Int64 in [0, 10] { self.breakOne(&detector, [self.bad], from: 100_000_000 + time) }
        #expect(self.connect(&detector, at: 100_000_020) == true)
    }

    @Test("An item that no longer has to be answered is forgotten")
    func forgotten() {
        var detector = PoisonDetector()
        for time: Int64 in [0, 10] { self.breakOne(&detector, [self.bad], from: time) }
        #expect(detector.connected(pending: [self.good], now: at(20)) == false)
        #expect(!detector.isActive)
    }

    @Test("Items that are not suspect are sent while no suspect is unanswered")
    func others() {
        var detector = PoisonDetector()
        for time: Int64 in [0, 10] { self.breakOne(&detector, [self.bad], from: time) }
        _ = self.connect(&detector, at: 20)
        let others = (1...3).map { Item.subscribe($0) }
        for other in others {
            #expect(detector.maySend(other))
            detector.sent(other)
        }
        #expect(!detector.maySend(self.bad) && !detector.isFull)
        for other in others { detector.answered(other) }
        #expect(detector.maySend(self.bad))
        detector.sent(self.bad)
        #expect(!detector.maySend(others[0]) && detector.isFull)
    }

    @Test("A trial that also breaks clears the suspect, until the pattern repeats")
    func acquitted() {
        var detector = PoisonDetector()
        for time: Int64 in [0, 10, 20] { self.breakOne(&detector, [self.bad], from: time) }
        self.breakOne(&detector, [], from: 30)
        #expect(self.connect(&detector, at: 40) == false)
        #expect(detector.maySend(self.bad))
        detector.connectionBroken(unanswered: [self.bad], now: at(41))
        #expect(self.connect(&detector, at: 50) == true)
    }

    @Test("An answered item is no longer suspect")
    func answered() {
        var detector = PoisonDetector()
        for time: Int64 in [0, 10] { self.breakOne(&detector, [self.bad, self.good], from: time) }
        _ = self.connect(&detector, at: 20)
        detector.sent(self.bad)
        detector.answered(self.bad)
        detector.answered(self.good)
        #expect(!detector.isActive)
    }

    @Test("After two broken connections, the suspects are sent one at a time, then two, then four")
    func isolation() {
        var detector = PoisonDetector()
        let items = (1...10).map { Item.publish(RequestID($0)) }
        for time: Int64 in [0, 10] { self.breakOne(&detector, items, from: time) }
        _ = self.connect(&detector, at: 20)
        var rounds: [Int] = []
        var rest = items[...]
        while !rest.isEmpty {
            var sent: [Item] = []
            while let next = rest.first, detector.maySend(next) {
                detector.sent(next)
                sent.append(next)
                rest.removeFirst()
            }
            rounds.append(sent.count)
            for item in sent { detector.answered(item) }
        }
        #expect(rounds == [1, 2, 4, 3])
        #expect(!detector.isActive)
    }

    @Test("A connection that lasts for half a minute lifts the isolation, even with an unanswered item")
    func endOfIsolation() {
        var detector = PoisonDetector()
        for time: Int64 in [0, 10] { self.breakOne(&detector, [self.bad, self.good], from: time) }
        _ = self.connect(&detector, at: 20)
        detector.sent(self.bad)
        #expect(!detector.maySend(self.good) && detector.isFull)
        #expect(detector.deadline == at(30_020))
        #expect(detector.deadlineReached(now: at(30_020)) == nil)
        #expect(detector.maySend(self.good) && detector.deadline == nil)
    }

    @Test("A trial without any answer ends without a verdict, and nothing is held back any more")
    func unansweredTrial() {
        var detector = PoisonDetector()
        for time: Int64 in [0, 10, 20] { self.breakOne(&detector, [self.bad], from: time) }
        _ = self.connect(&detector, at: 30)
        #expect(detector.deadlineReached(now: at(1030)) == nil)
        #expect(detector.deadline == at(31_030))
        #expect(detector.deadlineReached(now: at(31_030)) == nil)
        #expect(detector.maySend(self.bad))
        #expect(detector.ponged() == nil)
    }

    @Test("An item that was never the only unanswered one is not given up")
    func company() {
        var detector = PoisonDetector()
        for time: Int64 in 0..<20 { self.breakOne(&detector, [self.bad, self.good], from: time * 10) }
        #expect(self.connect(&detector, at: 1000) == false)
        #expect(detector.isIsolating)
    }

    @Test("A connection loss that packets did not cause makes nothing suspect")
    func otherEnd() {
        var detector = PoisonDetector()
        for time: Int64 in 0..<20 {
            _ = self.connect(&detector, at: time * 10)
            detector.connectionLost()
        }
        #expect(!detector.isActive)
        self.breakOne(&detector, [self.bad], from: 500)
        #expect(self.connect(&detector, at: 600) == false)
        #expect(!detector.isIsolating)
    }
}
