package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// UpdateFeatures, v0-2: the levels of features are those of the program. What
// asks for them as they are, or only tries whether they could be others,
// succeeds.
//
// v1: kinds of upgrades, and trying only
// v2: no results of single features
func (s *Server) updateFeatures(req *wire.Request, r *kmsg.UpdateFeaturesRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	if !s.mayCluster(req, toAlter) {
		resp.ErrorCode = clusterDenied
		return resp
	}
	for _, u := range r.FeatureUpdates {
		why := checkFeature(u, r.Version, r.ValidateOnly)
		if r.Version < 2 {
			out := kmsg.NewUpdateFeaturesResponseResult()
			out.Feature = u.Feature
			if why != "" {
				out.ErrorCode, out.ErrorMessage = kerr.InvalidUpdateVersion.Code, &why
			}
			resp.Results = append(resp.Results, out)
			continue
		}
		if why != "" {
			why = "The update failed for all features since the following feature had an error: " + why
			resp.ErrorCode, resp.ErrorMessage = kerr.InvalidUpdateVersion.Code, &why
			return resp
		}
	}
	return resp
}

// checkFeature says why a feature can't have another level; "" is that it can.
func checkFeature(u kmsg.UpdateFeaturesRequestFeatureUpdate, version int16, try bool) string {
	const upgrade, safeDowngrade, unsafeDowngrade = 1, 2, 3
	kind := u.UpgradeType
	if version == 0 {
		kind = upgrade
		if u.AllowDowngrade {
			kind = safeDowngrade
		}
	}
	bad := fmt.Sprintf("Invalid update version %d for feature %s. ", u.MaxVersionLevel, u.Feature)
	lowest, level, ok := featureLevels(u.Feature)
	switch {
	case kind != upgrade && kind != safeDowngrade && kind != unsafeDowngrade:
		return bad + "The controller does not support the given upgrade type."
	case !ok:
		return bad + fmt.Sprintf("Local controller %d does not support this feature.", NodeID)
	case u.MaxVersionLevel < lowest || u.MaxVersionLevel > level:
		return bad + fmt.Sprintf("Local controller %d only supports versions %d-%d", NodeID, lowest, level)
	case u.MaxVersionLevel < level && u.Feature == "metadata.version":
		return fmt.Sprintf("Unsupported metadata.version downgrade from %d to %d.", level, u.MaxVersionLevel)
	case u.MaxVersionLevel < level && kind == upgrade:
		return bad + "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."
	case u.MaxVersionLevel < level && !try:
		return bad + "Features of this broker can't be switched off."
	}
	return ""
}

func featureLevels(name string) (lowest, level int16, ok bool) {
	for _, f := range features {
		if f.name == name {
			return f.min, f.level, true
		}
	}
	return 0, 0, false
}
