// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Media
internal import Pipeline

/// Pictures and their label images in CamVid's layout: `FOLDER/val/NAME.jpg` and `FOLDER/valannot/NAME.png`.
///
/// Label images are PNG of grey values or with a palette; a value that is no class is void.
struct LabelledPictures {
    struct Pair {
        let picture: String
        let labels: String
    }

    /// In natural order of the pictures' names.
    let pairs: [Pair]

    /// Finds the pairs of one part of a folder.
    ///
    /// - Throws: a sentence where there are none, or where a picture has no labels.
    init(folder: String, split: String) throws {
        let pictures = folder + "/" + split
        let labels = pictures + "annot"
        for needed in [pictures, labels] {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: needed, isDirectory: &isFolder), isFolder.boolValue else {
                throw OutputError(
                    "\(needed): no such folder; pictures are expected in \(pictures), labels in \(labels)")
            }
        }
        pairs = try ImageReader(pictures).paths.map { path in
            let stem = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
            let label = "\(labels)/\(stem).png"
            guard FileManager.default.fileExists(atPath: label) else {
                throw OutputError("\(path): has no labels; \(label) is not there")
            }
            return Pair(picture: path, labels: label)
        }
    }
}
