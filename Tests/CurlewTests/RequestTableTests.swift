import CurlewCore
import Testing

@testable import Curlew

@Suite("Request table")
struct RequestTableTests {
    @Test("The table holds the same entries as a dictionary, under random operations", arguments: 1...20)
    func model(seed: UInt64) {
        var table = RequestTable<UInt64>()
        var model: [RequestID: UInt64] = [:]
        var random = SplitMix64(seed: seed)
        var latest: UInt64 = 0
        // Small and large windows, so that entries are close together and the table grows.
        let window = 1 + Int.random(in: 0..<200, using: &random)
        for _ in 0..<5_000 {
            if model.count < window, Bool.random(using: &random) {
                latest += UInt64.random(in: 1...3, using: &random)
                table.insert(latest, for: RequestID(latest))
                model[RequestID(latest)] = latest
            } else {
                let request = model.keys.sorted().randomElement(using: &random) ?? RequestID(latest + 1)
                #expect(table.remove(request) == model.removeValue(forKey: request))
                #expect(table[request] == nil)
            }
            #expect(table.count == model.count)
        }
        for (request, value) in model { #expect(table[request] == value) }
        #expect(table[RequestID(latest + 1)] == nil)
    }

    @Test("Inserting replaces the previous value, and removing an unknown request returns nil")
    func replacing() {
        var table = RequestTable<String>()
        #expect(table.remove(RequestID(1)) == nil)
        table.insert("first", for: RequestID(1))
        table.insert("second", for: RequestID(1))
        #expect(table.count == 1)
        #expect(table.remove(RequestID(2)) == nil)
        #expect(table.remove(RequestID(1)) == "second")
        #expect(table.count == 0)
    }
}
