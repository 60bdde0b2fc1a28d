import CurlewCore
import CurlewTransport
import NIOCore
import Testing

@testable import CurlewBroker

@Suite("Route cache")
struct RouteCacheTests {
    private let subscriber = LocalSubscriber(
        filter: TopicFilter(exactly: TopicName(unchecked: "x")), capacity: 1, patience: .zero,
        clock: MonotonicClock(ContinuousClock()))

    private func index(_ filters: [String]) throws -> SubscriptionIndex<Receiver> {
        var index = SubscriptionIndex<Receiver>()
        for filter in filters {
            index.insert(try TopicFilter(filter), .local(self.subscriber), .init(SubscriptionOptions()))
        }
        return index
    }

    private func route(
        _ cache: inout RouteCache, _ topic: String, _ index: SubscriptionIndex<Receiver>, work: inout Int
    ) throws -> RouteCache.Entry {
        cache.entry(
            for: try TopicName(topic), version: 1, work: &work, refresh: { (index, 1) }, allows: { _, _ in true },
            isAsked: false)
    }

    @Test("A flood of new topics does not evict a route in use")
    func flood() throws {
        let index = try self.index(["#"])
        var (cache, work) = (RouteCache(), 0)
        let used = try self.route(&cache, "used", index, work: &work)
        for number in 0..<10_000 {
            _ = try self.route(&cache, "flood/\(number)", index, work: &work)
            guard number % 500 == 0 else { continue }
            #expect(try self.route(&cache, "used", index, work: &work) === used)
        }
    }

    @Test("The cache is limited in bytes, however long the topics are")
    func bytes() throws {
        let index = try self.index(["#"])
        var (cache, work) = (RouteCache(), 0)
        for number in 0..<1000 {
            _ = try self.route(&cache, "\(number)/" + String(repeating: "x", count: 60_000), index, work: &work)
            #expect(cache.byteCount <= 16 << 20)
        }
        #expect(cache.byteCount > 1 << 20)
    }

    @Test("Computing a route costs work; finding it in the cache costs none")
    func cost() throws {
        let index = try self.index(["#", "+", "a", "b"])
        var (cache, work) = (RouteCache(), 0)
        _ = try self.route(&cache, "a", index, work: &work)
        #expect(work >= 3)
        let before = work
        _ = try self.route(&cache, "a", index, work: &work)
        #expect(work == before)
    }
}
