import Testing

@testable import Curlew

@Suite("Lanes of a route")
struct RouteLanesTests {
    @Test("Jobs with the same key run one after the other, others beside them")
    func keys() {
        var lanes = RouteLanes<Int, String>(width: 2)
        let added = [lanes.add(1, key: "a"), lanes.add(2, key: "a"), lanes.add(3, key: "b")]
        #expect(added == [.run, .wait, .run])
        let afterThree = lanes.ended("b")
        #expect(afterThree == nil)
        let afterOne = lanes.ended("a")
        #expect(afterOne?.job == 2)
        let afterTwo = lanes.ended("a")
        #expect(afterTwo == nil)
        #expect(lanes.isEmpty)
    }

    @Test("No more jobs run at once than the width")
    func width() {
        var lanes = RouteLanes<Int, String>(width: 1)
        let added = [lanes.add(1, key: nil), lanes.add(2, key: nil)]
        #expect(added == [.run, .wait])
        let next = lanes.ended(nil)
        #expect(next?.job == 2)
    }

    @Test("A key with many jobs does not starve the others")
    func fairness() {
        var lanes = RouteLanes<Int, String>(width: 1)
        _ = lanes.add(1, key: "busy")
        _ = lanes.add(2, key: "busy")
        _ = lanes.add(3, key: "other")
        let second = lanes.ended("busy")
        #expect(second?.job == 3)
        let third = lanes.ended("other")
        #expect(third?.job == 2)
    }

    @Test("Random jobs: all run once, in order per key, never too many at once")
    func random() {
        var generator = SplitMix64(seed: 11)
        var lanes = RouteLanes<(Int, String), String>(width: 3)
        var running: [(job: (Int, String), key: String?)] = []
        var done: [String: [Int]] = [:]
        var added: [String: [Int]] = [:]
        for number in 0..<2000 {
            if Bool.random(using: &generator) {
                let key = String(Int.random(in: 0..<5, using: &generator))
                added[key, default: []].append(number)
                if lanes.add((number, key), key: key) == .run { running.append(((number, key), key)) }
            } else if let place = running.indices.randomElement(using: &generator) {
                let ended = running.remove(at: place)
                done[ended.job.1, default: []].append(ended.job.0)
                if let next = lanes.ended(ended.key) { running.append(next) }
            }
            #expect(running.count <= 3)
            #expect(Set(running.compactMap(\.key)).count == running.count)
        }
        while let ended = running.popLast() {
            done[ended.job.1, default: []].append(ended.job.0)
            if let next = lanes.ended(ended.key) { running.append(next) }
        }
        #expect(lanes.isEmpty)
        #expect(done == added)
    }
}
