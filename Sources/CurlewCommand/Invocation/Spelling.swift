#if Tools
/// Guesses which known word was meant by an unknown one.
enum Spelling {
    /// The most similar known word, if it is similar enough.
    ///
    /// - Parameter beginning: The common prefix of all words, which is not compared.
    static func nearest(to word: String, among known: [String], beginningWith beginning: String = "") -> String? {
        let letters = Array(word.dropFirst(beginning.count))
        // One letter may be wrong in a short word, three in a long one.
        let limit = max(1, min(3, letters.count / 3))
        let candidates = known.map { ($0, self.distance(letters, Array($0.dropFirst(beginning.count)))) }
            .filter { $0.1 <= limit }
        return candidates.min { $0.1 < $1.1 }?.0
    }

    /// The number of letters to insert, delete, replace or swap with their neighbour (Damerau-Levenshtein distance).
    static func distance(_ one: [Character], _ other: [Character]) -> Int {
        var (before, last) = ([Int](), Array(0...other.count))
        for (row, letter) in one.enumerated() {
            var next = [row + 1]
            for (column, counterpart) in other.enumerated() {
                var cost = min(last[column + 1], next[column]) + 1
                cost = min(cost, last[column] + (letter == counterpart ? 0 : 1))
                if row > 0, column > 0, letter == other[column - 1], one[row - 1] == counterpart {
                    cost = min(cost, before[column - 1] + 1)
                }
                next.append(cost)
            }
            (before, last) = (last, next)
        }
        return last[other.count]
    }
}
#endif
