import Testing

@testable import CurlewBroker

@Suite("Fair queue")
struct FairQueueTests {
    private func queue(_ elements: [(String, Int)], maximumPerSource: Int = 100) -> FairQueue<Int> {
        var queue = FairQueue<Int>(maximumPerSource: maximumPerSource)
        for (source, element) in elements {
            #expect(queue.append(element, number: UInt64(element), from: source) == true)
        }
        return queue
    }

    private func rest(_ queue: inout FairQueue<Int>) -> [Int] {
        var elements: [Int] = []
        while let element = queue.popFirst() { elements.append(element) }
        return elements
    }

    @Test("Sources take turns; each source's elements keep their order")
    func turns() {
        var queue = self.queue([("a", 1), ("a", 2), ("a", 3), ("b", 11), ("c", 21), ("c", 22)])
        #expect(queue.count == 6)
        #expect(self.rest(&queue) == [1, 11, 21, 2, 22, 3])
        #expect(queue.count == 0)
    }

    @Test("A removed element is not returned, and its source still gets only one turn at a time")
    func removing() {
        var queue = self.queue([("a", 1), ("b", 11), ("b", 12)])
        #expect(queue.remove(1) == 1)
        #expect(queue.remove(1) == nil)
        #expect(queue.append(2, number: 2, from: "a") == true)
        #expect(queue.append(3, number: 3, from: "a") == true)
        #expect(self.rest(&queue) == [2, 11, 3, 12])
    }

    @Test("The number of elements per source is limited, and removing one makes room")
    func bound() {
        var queue = self.queue([("a", 1), ("a", 2)], maximumPerSource: 2)
        #expect(queue.append(3, number: 3, from: "a") == false)
        #expect(queue.append(11, number: 11, from: "b") == true)
        _ = queue.remove(1)
        #expect(queue.append(4, number: 4, from: "a") == true)
        #expect(self.rest(&queue) == [2, 11, 4])
    }

    @Test(
        "Addresses in one subscriber's network, an IPv4 address or an IPv6 /64, are one source",
        arguments: [
            ("192.0.2.1:1883", "192.0.2.1"), ("[2001:db8:1:2:3:4:5:6]:1883", "2001:db8:1:2"),
            ("[2001:db8::6]:1883", "2001:db8:0:0"), ("[::1]:1883", "0:0:0:0"), ("[fe80::1%eth0]:9", "fe80:0:0:0"),
            ("[2001:db8:1:2::]:1", "2001:db8:1:2"), ("[::ffff:192.0.2.1]:1883", "::ffff:192.0.2.1"),
            ("in-memory client", "in-memory client"),
        ])
    func sources(peer: String, source: String) {
        #expect(NetworkSource(peer: peer).description == source)
    }
}
