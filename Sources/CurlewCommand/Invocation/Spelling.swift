#if Tools
/// Guesses what a person meant by a word that is unknown.
enum Spelling {
    /// The known word that is nearest, if one is near enough to have been meant.
    ///
    /// - Parameter beginning: What all of the words begin with; it says nothing.
    static func nearest(to word: String, among known: [String], beginningWith beginning: String = "") -> String? {
        let letters = Array(word.dropFirst(beginning.count))
        // Of a short word one letter may be wrong, of a long one three.
        let limit = max(1, min(3, letters.count / 3))
        let candidates = known.map { ($0, self.distance(letters, Array($0.dropFirst(beginning.count)))) }
            .filter { $0.1 <= limit }
        return candidates.min { $0.1 < $1.1 }?.0
    }

    /// How many letters must be added, left out, exchanged or swapped with their neighbour.
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
