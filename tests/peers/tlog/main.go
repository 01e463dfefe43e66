// SPDX-License-Identifier: MIT

// A second opinion on the audit log, by Go's own packages for transparency logs (golang.org/x/mod/sumdb) and none of our
// code: notes, hashes, proofs and tiles are theirs, only the paths of C2SP's tiles and our JSON are read here.
//
//	tlog -key VKEY checkpoint NOTE              the note's size and root
//	tlog -key VKEY record NOTE INDEX LEAF PROOF  a leaf is in the log of that checkpoint
//	tlog -key VKEY tree NOTE FROM ROOT PROOF     that log goes on from an older one (root in hex)
//	tlog -key VKEY cosigned NOTE WITNESS         a witness cosigned it, too (WITNESS: its vkey)
//	tlog -key VKEY export FILE                   every entry of an export
//	tlog -key VKEY log BASE                      all of a log: BASE is a URL (with -ca, -token) or a folder as
//	                                             C2SP's tlog-tiles names its files
//
// NOTE, LEAF and PROOF are files; a proof is a JSON array of base64. Exit status 0: it holds; 1: it does not, with the
// reason on standard error; 2: it could not be asked.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const lineMax = 256 << 10

var (
	key   = flag.String("key", "", "the log's vkey")
	ca    = flag.String("ca", "", "a certificate that the server may have")
	token = flag.String("token", "", "a file with a bearer token")
)

// What could not be asked, in difference to what does not hold.
type unreachable struct{ error }

type checkpoint struct {
	origin string
	tree   tlog.Tree
}

// Three lines, whatever more, signed by that key under the name that the first line has.
func readCheckpoint(text []byte) (checkpoint, error) {
	verifier, err := note.NewVerifier(*key)
	if err != nil {
		return checkpoint{}, unreachable{err}
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return checkpoint{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return checkpoint{}, errors.New("the note is no checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return checkpoint{}, errors.New("the checkpoint's size is no number")
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return checkpoint{}, err
	}
	return checkpoint{lines[0], tlog.Tree{N: size, Hash: root}}, nil
}

func parseProof(texts []string) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(texts))
	for i, text := range texts {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(data) != tlog.HashSize {
			return nil, fmt.Errorf("hash %d of the proof is none", i)
		}
		copy(hashes[i][:], data)
	}
	return hashes, nil
}

func readFile(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		end(unreachable{err})
	}
	return data
}

func readProof(path string) ([]tlog.Hash, error) {
	var texts []string
	if err := json.Unmarshal(readFile(path), &texts); err != nil {
		return nil, err
	}
	return parseProof(texts)
}

func checkRecord(at checkpoint, index, leafPath, proofPath string) error {
	n, err := strconv.ParseInt(index, 10, 64)
	if err != nil {
		return unreachable{err}
	}
	proof, err := readProof(proofPath)
	if err != nil {
		return err
	}
	if n < 0 || n >= at.tree.N {
		return errors.New("the log has no such entry")
	}
	return tlog.CheckRecord(proof, at.tree.N, at.tree.Hash, n, tlog.RecordHash(readFile(leafPath)))
}

func checkTree(at checkpoint, from, root, proofPath string) error {
	n, err := strconv.ParseInt(from, 10, 64)
	if err != nil {
		return unreachable{err}
	}
	data, err := hex.DecodeString(root)
	if err != nil || len(data) != tlog.HashSize {
		return unreachable{errors.New("the root is not 32 bytes in hex")}
	}
	proof, err := readProof(proofPath)
	if err != nil {
		return err
	}
	var old tlog.Hash
	copy(old[:], data)
	if n < 1 || n > at.tree.N {
		return errors.New("the older log is larger")
	}
	return tlog.CheckTree(proof, at.tree.N, at.tree.Hash, n, old)
}

func checkExport(path string) error {
	var header struct{ Export, Checkpoint string }
	var at checkpoint
	file, err := os.Open(path)
	if err != nil {
		return unreachable{err}
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, lineMax), lineMax)
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &header) != nil || header.Export != "tenantd-audit/v1" {
		return errors.New("this is no export")
	}
	if at, err = readCheckpoint([]byte(header.Checkpoint)); err != nil {
		return err
	}
	for entries := int64(0); lines.Scan(); entries++ {
		var line struct {
			Index   *int64
			Leaf    string
			Proof   []string
			End     bool
			Entries int64
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return err
		}
		if line.End {
			if line.Entries != entries || lines.Scan() {
				return errors.New("the last line is not right")
			}
			fmt.Printf("%d entries in the log of %d\n", entries, at.tree.N)
			return nil
		}
		proof, err := parseProof(line.Proof)
		if err != nil || line.Index == nil || *line.Index < 0 || *line.Index >= at.tree.N {
			return errors.New("an entry is not of its form")
		}
		if err := tlog.CheckRecord(proof, at.tree.N, at.tree.Hash, *line.Index, tlog.RecordHash([]byte(line.Leaf))); err != nil {
			return fmt.Errorf("entry %d: %w", *line.Index, err)
		}
	}
	return errors.New("it was cut off")
}

func end(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, err)
	if errors.As(err, &unreachable{}) {
		os.Exit(2)
	}
	os.Exit(1)
}

func main() {
	flag.Parse()
	words := map[string]int{"checkpoint": 1, "record": 4, "tree": 4, "cosigned": 2, "export": 1, "log": 1}
	if flag.NArg() == 0 || words[flag.Arg(0)] != flag.NArg()-1 {
		flag.Usage()
		os.Exit(2)
	}
	switch flag.Arg(0) {
	case "export":
		end(checkExport(flag.Arg(1)))
	case "log":
		end(checkLog(flag.Arg(1)))
	}
	at, err := readCheckpoint(readFile(flag.Arg(1)))
	if err == nil {
		switch flag.Arg(0) {
		case "checkpoint":
			fmt.Printf("%s %d %s\n", at.origin, at.tree.N, hex.EncodeToString(at.tree.Hash[:]))
		case "cosigned":
			err = checkCosigned(readFile(flag.Arg(1)), flag.Arg(2))
		case "record":
			err = checkRecord(at, flag.Arg(2), flag.Arg(3), flag.Arg(4))
		case "tree":
			err = checkTree(at, flag.Arg(2), flag.Arg(3), flag.Arg(4))
		}
	}
	end(err)
}
