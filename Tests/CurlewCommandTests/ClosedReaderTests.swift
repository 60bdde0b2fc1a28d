#if Tools
import Curlew
import Foundation
import Testing

import CurlewTransport
@testable import CurlewCommand

@Suite("Readers that close a pipe, and waiting with a time limit", .timeLimit(.minutes(2)))
struct ClosedReaderTests {
    @Test("A closed reader is noticed without a write")
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

    @Test("A file has no reader")
    func file() async throws {
        let file = try Descriptor.open("/dev/null")
        defer { file.closeFile() }
        #expect(await file.waitUntilReaderCloses() == false)
    }

    @Test("A value that is set in time is returned, otherwise nothing is")
    func timeLimit() async {
        let value = OneShot<Int>()
        #expect(await value.wait(within: .milliseconds(1)) == nil)
        value.set(1)
        #expect(await value.wait(within: .seconds(60)) == 1)
    }
}
#endif
