// SPDX-License-Identifier: MIT

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	height    = 8   // levels of a tile, in C2SP's paths left out
	proofsMax = 300 // that a server is asked for
)

var errNone = errors.New("there is no such thing")

// Where a log is: its files by their names.
type source interface {
	get(name string) ([]byte, error)
}

type folder string

func (f folder) get(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(f), filepath.FromSlash(name)))
}

type server struct {
	base, token string
	client      *http.Client
}

func (s server) get(name string) ([]byte, error) {
	request, err := http.NewRequest("GET", s.base+"/"+name, nil)
	if err != nil {
		return nil, unreachable{err}
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, unreachable{err}
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, unreachable{err}
	}
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return nil, errNone
	case answer.StatusCode != http.StatusOK:
		return nil, unreachable{fmt.Errorf("%s: %s: %s", name, answer.Status, data)}
	}
	return data, nil
}

func open(base string) source {
	if !strings.HasPrefix(base, "https://") && !strings.HasPrefix(base, "http://") {
		return folder(base)
	}
	s := server{base: strings.TrimSuffix(base, "/"), client: &http.Client{Timeout: 30 * time.Second}}
	if *ca != "" {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(readFile(*ca)) {
			end(unreachable{errors.New("no certificate in that file")})
		}
		s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	}
	if *token != "" {
		s.token = strings.TrimSpace(string(readFile(*token)))
	}
	return s
}

// Tiles for tlog.TileHashReader, which itself proves each one against the checkpoint before it uses it.
type tiles struct{ source }

func (t tiles) Height() int { return height }

func (t tiles) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		data, err := t.get(name(tile))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name(tile), err)
		}
		all = append(all, data)
	}
	return all, nil
}

func name(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	return "tile/" + strings.Replace(path, "data/", "entries/", 1)
}

// The leaves of a tile, each behind its length in two bytes.
func leaves(s source, tile tlog.Tile) ([][]byte, error) {
	data, err := s.get(name(tile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name(tile), err)
	}
	var all [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("%s: a leaf is cut off", name(tile))
		}
		length := int(binary.BigEndian.Uint16(data))
		all = append(all, data[2:2+length])
		data = data[2+length:]
	}
	if len(all) != tile.W {
		return nil, fmt.Errorf("%s: %d leaves", name(tile), len(all))
	}
	return all, nil
}

// Every leaf is the one that the tree has in its place.
func checkLeaves(s source, at checkpoint, hashes tlog.HashReader) error {
	for n := int64(0); n<<height < at.tree.N; n++ {
		tile := tlog.Tile{H: height, L: -1, N: n, W: 1 << height}
		if rest := at.tree.N - n<<height; rest < 1<<height {
			tile.W = int(rest)
		}
		all, err := leaves(s, tile)
		if err != nil {
			return err
		}
		indexes := make([]int64, tile.W)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, n<<height+int64(i))
		}
		expected, err := hashes.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, leaf := range all {
			if tlog.RecordHash(leaf) != expected[i] {
				return fmt.Errorf("entry %d is not the one of the tree", n<<height+int64(i))
			}
		}
	}
	return nil
}

func askProof(s source, name string) ([]tlog.Hash, error) {
	var answer struct{ Proof []string }
	data, err := s.get(name)
	if err == nil {
		err = json.Unmarshal(data, &answer)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parseProof(answer.Proof)
}

func same(ours, theirs []tlog.Hash) bool {
	if len(ours) != len(theirs) {
		return false
	}
	for i := range ours {
		if ours[i] != theirs[i] {
			return false
		}
	}
	return true
}

// The server's proofs: they hold, and are those that Go makes of the tiles. About so many of them, spread over the log.
func checkProofs(s source, at checkpoint, hashes tlog.HashReader) error {
	step := at.tree.N/proofsMax + 1
	for n := int64(0); n < at.tree.N; n += step {
		theirs, err := askProof(s, fmt.Sprintf("proofs/inclusion?index=%d&size=%d", n, at.tree.N))
		if err != nil {
			return err
		}
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(theirs, at.tree.N, at.tree.Hash, n, leaf[0]); err != nil {
			return fmt.Errorf("entry %d: %w", n, err)
		}
		record, err := tlog.ProveRecord(at.tree.N, n, hashes)
		if err != nil || !same(record, theirs) {
			return fmt.Errorf("entry %d: another proof than Go's (%v)", n, err)
		}
		if n == 0 {
			continue
		}
		if theirs, err = askProof(s, fmt.Sprintf("proofs/consistency?from=%d&to=%d", n, at.tree.N)); err != nil {
			return err
		}
		root, err := tlog.TreeHash(n, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(theirs, at.tree.N, at.tree.Hash, n, root); err != nil {
			return fmt.Errorf("from size %d: %w", n, err)
		}
		tree, err := tlog.ProveTree(at.tree.N, n, hashes)
		if err != nil || !same(tree, theirs) {
			return fmt.Errorf("from size %d: another proof than Go's (%v)", n, err)
		}
	}
	return nil
}

func checkLog(base string) error {
	s := open(base)
	text, err := s.get("checkpoint")
	if err != nil {
		return unreachable{err}
	}
	at, err := readCheckpoint(text)
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(at.tree, tiles{s})
	if err := checkLeaves(s, at, hashes); err != nil {
		return err
	}
	root, err := tlog.TreeHash(at.tree.N, hashes)
	if err != nil {
		return err
	}
	if root != at.tree.Hash {
		return errors.New("the tiles make up another root")
	}
	if _, asks := s.(server); asks {
		if err := checkProofs(s, at, hashes); err != nil {
			return err
		}
	}
	fmt.Printf("%s %d\n", at.origin, at.tree.N)
	return nil
}
