package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/droverhq/drover/internal/dev"
)

// TestTheInterfaceInChromium has the interface's own script drive it in a real
// browser, against a real fleet.
func TestTheInterfaceInChromium(t *testing.T) {
	t.Parallel() // with the tests of instances, which mostly wait
	ui := filepath.Join("..", "..", "ui")
	for what, path := range map[string]string{
		"the built interface": filepath.Join(ui, "dist", "index.html"),
		"npm's packages":      filepath.Join(ui, "node_modules"),
	} {
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%s: %v; make ui brings both", what, err)
		}
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v; on Debian: apt-get install chromium", err)
	}
	f := newFleet(t, 3, "--agents", "5")
	file := f.start()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join("e2e", "demo.mjs"))
	cmd.Dir = ui
	cmd.Env = append(os.Environ(), "DROVER_URL="+file.Peers[0].URL, "DROVER_USER="+file.Admin.User, "DROVER_PASSWORD="+file.Admin.Password,
		"DROVER_DEV_JSON="+filepath.Join(f.dir, dev.FileName), "DROVER_CHROMIUM="+chromium)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}
