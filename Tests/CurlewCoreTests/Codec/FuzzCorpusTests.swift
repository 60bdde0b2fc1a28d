import CurlewCore
import Foundation
import Testing

/// Writes each vector's bytes to a file, in a folder for each version and sender, as a seed corpus for fuzzing.
func writeFuzzCorpus(to folder: URL) throws {
    for (index, vector) in Vector.table.enumerated() {
        for (version, sender) in vector.cases {
            let place = folder.appending(path: "\(version)-\(sender)", directoryHint: .isDirectory)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            try Data(vector.bytes).write(to: place.appending(path: "vector-\(index)"))
        }
    }
}

@Suite("Fuzz corpus")
struct FuzzCorpusTests {
    /// If `CURLEW_FUZZ_CORPUS` is set, the corpus is written there and kept.
    @Test("Every vector becomes a file")
    func files() throws {
        let wanted = ProcessInfo.processInfo.environment["CURLEW_FUZZ_CORPUS"].map { URL(filePath: $0) }
        let folder = wanted ?? FileManager.default.temporaryDirectory.appending(path: "curlew-corpus-\(UUID())")
        defer { if wanted == nil { try? FileManager.default.removeItem(at: folder) } }
        try writeFuzzCorpus(to: folder)

        let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.contains("vector-") }
        #expect(files.count == Vector.table.reduce(0) { $0 + $1.cases.count })
        #expect(files.contains { $0.hasPrefix("3.1.1-server/") })
    }
}
