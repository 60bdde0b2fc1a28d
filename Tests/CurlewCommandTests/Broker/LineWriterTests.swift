#if Tools
import Foundation
import MosquittoFixture
import Testing

@testable import CurlewCommand

@Suite("Line writer", .timeLimit(.minutes(2)))
struct LineWriterTests {
    private static let line = String(repeating: "x", count: 99) + "\n"

    private static func describe(_ count: Int) -> [UInt8] { Array("\(count) dropped\n".utf8) }

    /// The number of lines in a text, including those that it reports as dropped.
    private func count(_ text: String) -> Int {
        text.split(separator: "\n").reduce(0) { sum, line in
            line.hasSuffix(" dropped") ? sum + (Int(line.dropLast(" dropped".count)) ?? 0) : sum + 1
        }
    }

    @Test("Writing does not wait for a stuck reader, and dropped lines are counted")
    func stuckReader() async throws {
        let pipe = Pipe()
        let writer = LineWriter(
            Descriptor(number: pipe.fileHandleForWriting.fileDescriptor), describe: Self.describe)
        // More than the pipe and the writer hold.
        let count = 4 * LineWriter.limit / Self.line.utf8.count
        for _ in 0..<count { writer.write(Array(Self.line.utf8)) }
        await writer.finish(within: .milliseconds(1))
        // The reader reads again.
        let text = PipeText(pipe)
        await writer.finish(within: .seconds(60))
        writer.write(Array(Self.line.utf8))
        await writer.finish(within: .seconds(60))
        try pipe.fileHandleForWriting.close()
        let whole = await text.whole()
        #expect(self.count(whole) == count + 1)
        #expect(whole.contains(" dropped\n"))
        #expect(whole.hasSuffix(Self.line))
    }

    @Test(
        "On a full disk, lines are dropped and counted, and the log continues when there is room",
        .enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "there is no /dev/full"))
    func fullDisk() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let writer = LineWriter(try Descriptor.openToAppend("/dev/full"), describe: Self.describe)
        for _ in 0..<3 { writer.write(Array(Self.line.utf8)) }
        await writer.finish(within: .seconds(60))
        writer.write(Array(Self.line.utf8))
        await writer.finish(within: .seconds(60))
        writer.changeFile(to: try Descriptor.openToAppend(path))
        await writer.finish(within: .seconds(60))
        writer.write(Array(Self.line.utf8))
        await writer.finish(within: .seconds(60))
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "4 dropped\n" + Self.line)
    }
}
#endif
