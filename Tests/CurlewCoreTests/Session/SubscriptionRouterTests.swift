import Testing

@testable import CurlewCore

@Suite("Routing to subscribers")
struct SubscriptionRouterTests {
    private let one = SubscriberID(1)
    private let two = SubscriberID(2)

    private func filter(
        _ text: String, _ subscribers: [SubscriberID], qos: QoS = .exactlyOnce, grant: UInt64? = 1,
        requesters: [SubscriberID]? = nil
    ) -> SubscriptionRouter.Filter {
        SubscriptionRouter.Filter(
            filter: topicFilter(text), options: SubscriptionOptions(qos: qos), subscribers: subscribers,
            grantNumber: grant, requesters: requesters ?? subscribers)
    }

    @Test("A message without identifiers goes to all subscribers with a matching filter, each once")
    func matching() {
        var router = SubscriptionRouter()
        router.update(1, self.filter("a/#", [self.one]))
        router.update(2, self.filter("a/+", [self.two, self.one]))
        let receivers = router.subscribers(for: "a/b", [], retain: false)
        #expect(Set(receivers) == [self.one, self.two] && receivers.count == 2)
        #expect(router.subscribers(for: "b", [], retain: false) == [])
    }

    @Test(
        "With overlapping filters, a subscriber gets the copy for the filter with the highest QoS once one has arrived")
    func overlap() {
        var router = SubscriptionRouter()
        router.update(1, self.filter("a/#", [self.one], qos: .atMostOnce, grant: 1))
        router.update(2, self.filter("a/+", [self.one], grant: 2))
        #expect(
            router.subscribers(for: "a/b", [1], retain: false) == [self.one],
            "there may be no copy for the younger filter")
        #expect(router.subscribers(for: "a/b", [2], retain: false) == [self.one])
        #expect(router.subscribers(for: "a/b", [1], retain: false) == [], "the younger filter gets copies")
        router.update(2, self.filter("a/+", [self.one], grant: nil))
        router.update(2, self.filter("a/+", [self.one], grant: 3))
        #expect(
            router.subscribers(for: "a/b", [1], retain: false) == [self.one], "granted again, it has to prove it again")
    }

    @Test("Retained messages go to the subscribers that requested them")
    func retained() {
        var router = SubscriptionRouter()
        router.update(1, self.filter("a", [self.one, self.two], requesters: [self.one]))
        router.repeats(1, as: 2, for: [self.two])
        #expect(router.subscribers(for: "a", [1], retain: true) == [self.one])
        #expect(router.subscribers(for: "a", [2], retain: true) == [self.two])
        #expect(router.subscribers(for: "a", [2], retain: false) == [self.one, self.two])
        router.forgetRepetitions(of: 1)
        #expect(
            router.subscribers(for: "a", [2], retain: true) == [self.one, self.two],
            "an unknown identifier tells nothing")
    }

    @Test("Identifiers that may belong to an earlier run are ignored")
    func untrusted() {
        var router = SubscriptionRouter()
        router.update(1, self.filter("a", [self.one]))
        router.update(2, self.filter("+", [self.two]))
        router.trustIdentifiers(false)
        let receivers = router.subscribers(for: "a", [1], retain: false)
        #expect(receivers.count == 2)
    }

    @Test("Messages that match no filter go to the subscriber that takes the remainder, until it ends")
    func remainder() {
        var router = SubscriptionRouter()
        router.takeRemainder(self.two)
        router.update(1, self.filter("a", [self.one]))
        #expect(router.subscribers(for: "a", [], retain: false) == [self.one])
        #expect(router.subscribers(for: "b", [], retain: false) == [self.two])
        router.ended(self.two)
        #expect(router.subscribers(for: "b", [], retain: false) == [])
    }

    @Test("A subscriber's filters follow every change, in the order of joining")
    func filters() {
        var router = SubscriptionRouter()
        router.update(2, self.filter("b", [self.one]))
        router.update(1, self.filter("a", [self.one, self.two]))
        #expect(router.filters(of: self.one) == [2, 1])
        router.update(1, self.filter("a", [self.two]))
        router.remove(2)
        #expect(router.filters(of: self.one) == [] && router.filters(of: self.two) == [1])
    }
}
