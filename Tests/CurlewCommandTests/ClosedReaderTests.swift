#if Tools
import Curlew
import Foundation
import Testing

import CurlewTransport
@testable import CurlewCommand

@Suite("Closed pipes and time limits", .timeLimit(.minutes(2)))
struct ClosedReaderTests {
    @Test("A closed reader is noticed without writing")
    func closed() async throws {
        let pipe = Pipe()
        let writer = Descriptor(number: pipe.fileHandleForWriting.fileDescriptor)
        async let isClosed = writer.waitUntilReaderCloses()
        try pipe.fileHandleForReading.close()
        #expect(await isClosed)
    }

    @Test("Cancelling the task ends the wait, before or after it began")
    func cancelled() async throws {
        let pipe = Pipe()
        let writer = Descriptor(number: pipe.fileHandleForWriting.fileDescriptor)
        for _ in 0..<20 {
            let waiting = Task { await writer.waitUntilReaderCloses() }
            await Task.yield()
            waiting.cancel()
            #expect(await waiting.value == false)
        }
        try pipe.fileHandleForReading.close()
    }

    @Test("A file's reader never closes")
    func file() async throws {
        let file = try Descriptor.open("/dev/null")
        defer { file.closeFile() }
        #expect(await file.waitUntilReaderCloses() == false)
    }

    @Test("wait(within:) returns a value set in time, and otherwise nil")
    func timeLimit() async {
        let value = OneShot<Int>()
        #expect(await value.wait(within: .milliseconds(1)) == nil)
        value.set(1)
        #expect(await value.wait(within: .seconds(60)) == 1)
    }
}
#endif
